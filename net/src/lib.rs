//! What lies below HTTP and is needed by more than one room: nftables and links over netlink, and TLS between
//! SPIFFE identities.

pub mod link;
pub mod nft;
pub mod tls;
