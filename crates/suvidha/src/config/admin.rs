//! `[admin]`: where monitoring reads how the gateway is.

use std::net::{Ipv4Addr, SocketAddr};

use super::reader::Section;

/// The address of the admin listener; none where it is switched off. `public`: where ASPs connect.
pub(super) fn from_section(mut section: Section<'_, '_>, public: &[SocketAddr]) -> Option<SocketAddr> {
    let enabled = section.get("enabled", true);
    let at = section.locate("listen");
    let listen: SocketAddr = section.get("listen", SocketAddr::from((Ipv4Addr::LOCALHOST, 7784)));
    if enabled && listen.port() != 0 && public.contains(&listen) {
        section.problem(
            at,
            "listen",
            format_args!("ASPs connect to {listen}; the admin listener needs another"),
        );
    }
    enabled.then_some(listen)
}
