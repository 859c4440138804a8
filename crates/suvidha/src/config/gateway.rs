//! `[gateway]`: threads, limits, times, sessions and trusted proxies, for both environments alike.

use std::ops::RangeInclusive;
use std::time::Duration;

use suvidha_gateway::config::{AspApi, Config, Limits, Timeouts};

use super::reader::Section;
use super::setting::Bytes;
use super::{admission, getkey};

pub(super) fn from_section(mut section: Section<'_, '_>) -> Config {
    let default = Config::default();
    Config {
        threads: section.get("threads", default.threads),
        limits: limits(section.section("limits")),
        timeouts: timeouts(section.section("timeouts")),
        getkey: getkey::from_section(section.section("getkey")),
        aspapi: aspapi(section.section("aspapi")),
        charging: admission::charging(section.section("charging")),
        breaker: admission::breaker(section.section("breaker")),
        trusted_proxies: section.get("trusted_proxies", default.trusted_proxies),
        ..default
    }
}

fn limits(mut section: Section<'_, '_>) -> Limits {
    let default = Limits::default();
    let head = bytes(&mut section, "head", default.head_bytes as u64, 1024..=256 * 1024);
    let at = section.locate("headers");
    let headers = section.get("headers", default.headers);
    if !(16..=100).contains(&headers) {
        section.problem(at, "headers", format_args!("{headers} is outside 16 to 100"));
    }
    let at = section.locate("connections");
    let connections = section.get("connections", default.connections);
    if connections == 0 {
        section.problem(at, "connections", "nobody could connect; it is at least 1");
    }
    Limits {
        connections,
        head_bytes: usize::try_from(head).unwrap_or(default.head_bytes),
        headers,
        body_bytes: bytes(&mut section, "body", default.body_bytes, 1024..=u64::MAX),
        upstream_idle_connections: section
            .get("upstream_idle_connections", default.upstream_idle_connections),
    }
}

fn aspapi(mut section: Section<'_, '_>) -> AspApi {
    let default = AspApi::default();
    AspApi { calls_per_asp: getkey::count(&mut section, "calls_per_asp", default.calls_per_asp, 100_000) }
}

fn bytes(section: &mut Section<'_, '_>, key: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
    let at = section.locate(key);
    let Bytes(bytes) = section.get(key, Bytes(default));
    if !range.contains(&bytes) {
        let [found, least, most] = [bytes, *range.start(), *range.end()].map(Bytes);
        match range.end() {
            &u64::MAX => section.problem(at, key, format_args!("{found} is less than {least}")),
            _ => section.problem(at, key, format_args!("{found} is outside {least} to {most}")),
        }
    }
    bytes
}

fn timeouts(mut section: Section<'_, '_>) -> Timeouts {
    let default = Timeouts::default();
    let mut time = |key, default| positive_millis(&mut section, key, default);
    Timeouts {
        request_head_ms: time("request_head", default.request_head_ms),
        request_body_idle_ms: time("request_body_idle", default.request_body_idle_ms),
        answer_write_idle_ms: time("answer_write_idle", default.answer_write_idle_ms),
        keep_alive_ms: time("keep_alive", default.keep_alive_ms),
        connect_ms: time("connect", default.connect_ms),
        first_byte_ms: time("first_byte", default.first_byte_ms),
        answer_idle_ms: time("answer_idle", default.answer_idle_ms),
        upstream_idle_ms: time("upstream_idle", default.upstream_idle_ms),
        drain_announce_ms: millis(&mut section, "drain_announce", default.drain_announce_ms),
    }
}

fn positive_millis(section: &mut Section<'_, '_>, key: &'static str, default: u64) -> u64 {
    let at = section.locate(key);
    let millis = millis(section, key, default);
    if millis == 0 {
        section.problem(at, key, "no time at all would end every call");
    }
    millis
}

fn millis(section: &mut Section<'_, '_>, key: &'static str, default: u64) -> u64 {
    let time = section.get(key, Duration::from_millis(default));
    // A `Duration` read from the configuration was made from u64 milliseconds.
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
