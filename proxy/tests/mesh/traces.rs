//! Spans of both sides of a call, as a collector gets them.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, StatusCode};
use mesh_api::otlp::{
    ExportTraceServiceRequest, ExportTraceServiceResponse, KeyValue, Span, SpanKind, Status,
    StatusCode as SpanStatus,
    trace_service_server::{TraceService, TraceServiceServer},
    value::Kind,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;

use super::support::{App, Mesh, call, until};

/// Keeps all that it is handed.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start() -> (Self, String) {
        let this = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let service = TraceServiceServer::new(this.clone());
        tokio::spawn(
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        (this, address)
    }

    /// Spans with the names of who has sent them.
    fn spans(&self) -> Vec<(String, Span)> {
        let all = self.0.lock().unwrap();
        let resources = all.iter().flat_map(|request| &request.resource_spans);
        resources
            .flat_map(|from| {
                let attributes = &from.resource.as_ref().unwrap().attributes;
                let name = attribute(attributes, "service.name").unwrap();
                let spans = from.scope_spans.iter().flat_map(|scope| &scope.spans);
                spans.map(move |span| (name.clone(), span.clone()))
            })
            .collect()
    }

    fn of(&self, kind: SpanKind, path: &str) -> Option<(String, Span)> {
        let is_it = |span: &Span| {
            span.kind() == kind && attribute(&span.attributes, "url.path").as_deref() == Some(path)
        };
        self.spans().into_iter().find(|(_, span)| is_it(span))
    }
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|a| a.key == key)?;
    match found.value.as_ref()?.kind.as_ref()? {
        Kind::Text(text) => Some(text.clone()),
        Kind::Number(number) => Some(number.to_string()),
    }
}

fn get(path: &str, traceparent: Option<&str>) -> Request<Bytes> {
    let mut request = Request::get(path).header("host", "web.shop");
    if let Some(parent) = traceparent {
        request = request.header("traceparent", parent);
    }
    request.body(Bytes::new()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_of_a_call_are_spans_of_its_trace() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let (collector, address) = Collector::start().await;
    mesh.configure(|state| state.behaviour.trace_collector = address)
        .await;

    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let (status, _, seen) = call(&mesh, get("/headers", Some(parent))).await;
    assert_eq!(status, StatusCode::OK);
    until("both have handed over their spans", || {
        (collector.spans().len() == 2).then_some(())
    })
    .await;
    let (caller, client) = collector.of(SpanKind::Client, "/headers").unwrap();
    let (called, server) = collector.of(SpanKind::Server, "/headers").unwrap();
    assert_eq!((caller.as_str(), called.as_str()), ("client", "web"));
    for span in [&client, &server] {
        assert_eq!(
            span.trace_id,
            0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes()
        );
        assert!(span.start_time_unix_nano < span.end_time_unix_nano);
        assert_eq!(
            attribute(&span.attributes, "http.response.status_code").as_deref(),
            Some("200")
        );
        assert!(span.status.is_none());
    }
    assert_eq!(client.parent_span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    assert_eq!(server.parent_span_id, client.span_id);
    assert_eq!(
        (client.name.as_str(), server.name.as_str()),
        ("GET shop/web:80", "GET")
    );
    assert!(client.start_time_unix_nano <= server.start_time_unix_nano);
    let own = u64::from_be_bytes(server.span_id.as_slice().try_into().unwrap());
    assert!(
        seen.contains(&format!(
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-{own:016x}-01"
        )),
        "the app's own spans come below: {seen}"
    );

    let (status, ..) = call(&mesh, get("/flaky", Some(parent))).await;
    assert_eq!(status, StatusCode::OK);
    let unsampled = parent.replace("-01", "-00");
    call(&mesh, get("/hello", Some(&unsampled))).await;
    call(&mesh, get("/missing-trace", None)).await;
    until("the next has been handed over", || {
        collector.of(SpanKind::Server, "/flaky")
    })
    .await;
    assert_eq!(collector.spans().len(), 4, "others are in no sampled trace");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_call_is_an_error_and_a_collector_that_is_away_harms_nobody() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let away = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    mesh.configure(|state| {
        state.behaviour.trace_collector = away;
        state.behaviour.trace_per_million = 1_000_000;
    })
    .await;
    let (status, ..) = call(&mesh, get("/hello", None)).await;
    assert_eq!(status, StatusCode::OK);

    let (collector, address) = Collector::start().await;
    mesh.configure(|state| state.behaviour.trace_collector = address)
        .await;
    let request = Request::post("/flaky")
        .header("host", "web.shop")
        .header("x-failures", "9");
    let (status, ..) = call(&mesh, request.body(Bytes::new()).unwrap()).await;
    assert!(status.is_server_error(), "{status}");
    until("both have handed over their spans", || {
        collector
            .of(SpanKind::Client, "/flaky")
            .zip(collector.of(SpanKind::Server, "/flaky"))
    })
    .await;
    for kind in [SpanKind::Client, SpanKind::Server] {
        let (_, span) = collector.of(kind, "/flaky").unwrap();
        assert_eq!(span.status.as_ref().map(Status::code), Some(SpanStatus::Error));
        assert_eq!(
            span.parent_span_id.is_empty(),
            kind == SpanKind::Client,
            "a trace begins at its caller"
        );
    }
    mesh.stop().await;
}
