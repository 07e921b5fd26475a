//! What the rooms of the mesh must agree on, and nothing else: the wire protocol between proxies and the control
//! plane, the kinds users write, identity names, and well-known labels, annotations, ports and paths.

pub mod grpc;
pub mod histogram;
pub mod identity;
pub mod istio;
pub mod kinds;
pub mod names;
pub mod telemetry;

/// The gRPC protocol between a sidecar and the control plane, generated from `proto/meshctl/v1/mesh.proto`.
#[allow(clippy::all, clippy::pedantic)]
pub mod wire {
    tonic::include_proto!("meshctl.v1");

    /// Version of the protocol this build speaks, sent in [`Hello`].
    pub const PROTOCOL: u32 = 1;
}

/// The gRPC protocol by which spans reach a collector, generated from `proto/opentelemetry/trace.proto`.
#[allow(clippy::all, clippy::pedantic)]
pub mod otlp {
    tonic::include_proto!("opentelemetry.proto.collector.trace.v1");
}
