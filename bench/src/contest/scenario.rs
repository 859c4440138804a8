//! The scenarios: what is called, through whom, and by how many.

use super::call::Api;
use super::contestant::{BY_SESSION, Kind, OFF, RELAXED, STRICT};

/// One scenario.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// As it is asked for.
    pub(crate) name: &'static str,
    /// In words.
    pub(crate) what: &'static str,
    /// In the order of their turns.
    pub(crate) kinds: &'static [Kind],
    pub(crate) api: Api,
    pub(crate) connections: usize,
    pub(crate) door: Door,
    pub(crate) callers: Callers,
    pub(crate) run: Run,
}

/// Which upstream is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Plain,
    /// TLS on both sides.
    Tls,
    /// It thinks for 50 ms.
    Slow,
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Callers {
    One,
    /// Ten in turn, one of whom may call once a second.
    TenOneLimited,
    /// 10,000 in turn, each with ten sessions where there are sessions.
    Many,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// At full speed.
    FullSpeed,
    /// At full speed, and then how long answers take at a fixed rate.
    AndLatency,
    /// At a fixed rate, while configurations are read again.
    Reload,
}

const ALL: &[Kind] = &[
    Kind::Direct,
    Kind::Nginx,
    Kind::NginxLua,
    Kind::Haproxy,
    Kind::Envoy,
    OFF,
    RELAXED,
    STRICT,
    BY_SESSION,
];

/// One of each program.
const PROGRAMS: &[Kind] = &[Kind::Nginx, Kind::NginxLua, Kind::Haproxy, Kind::Envoy, STRICT];

pub(crate) const SCENARIOS: [Scenario; 8] = [
    Scenario {
        name: "small",
        what: "1 KiB replies at 64 connections",
        kinds: ALL,
        api: Api::Small,
        connections: 64,
        door: Door::Plain,
        callers: Callers::One,
        run: Run::AndLatency,
    },
    Scenario {
        name: "down",
        what: "256 KiB replies at 16 connections",
        kinds: &[Kind::Nginx, Kind::NginxLarge, Kind::NginxLua, Kind::Haproxy, Kind::Envoy, STRICT],
        api: Api::Down,
        connections: 16,
        door: Door::Plain,
        callers: Callers::One,
        run: Run::FullSpeed,
    },
    Scenario {
        name: "up",
        what: "100 KiB requests, 1 KiB replies at 16 connections",
        kinds: PROGRAMS,
        api: Api::Up,
        connections: 16,
        door: Door::Plain,
        callers: Callers::One,
        run: Run::FullSpeed,
    },
    Scenario {
        name: "tls",
        what: "1 KiB replies at 64 connections, TLS on both sides",
        kinds: PROGRAMS,
        api: Api::Small,
        connections: 64,
        door: Door::Tls,
        callers: Callers::One,
        run: Run::FullSpeed,
    },
    Scenario {
        name: "many",
        what: "1 KiB replies at 64 connections; 10,000 ASPs in turn, by session 100,000 sessions in turn",
        kinds: &[Kind::Nginx, Kind::NginxLua, Kind::Haproxy, STRICT, BY_SESSION],
        api: Api::Small,
        connections: 64,
        door: Door::Plain,
        callers: Callers::Many,
        run: Run::FullSpeed,
    },
    Scenario {
        name: "refused",
        what: "1 KiB replies at 64 connections; ten ASPs in turn, of whom one may call once a second: one call of ten is refused",
        kinds: &[Kind::Nginx, Kind::NginxLua, Kind::Haproxy, STRICT],
        api: Api::Small,
        connections: 64,
        door: Door::Plain,
        callers: Callers::TenOneLimited,
        run: Run::FullSpeed,
    },
    Scenario {
        name: "slow",
        what: "1 KiB replies at 1,000 connections, from an upstream that takes 50 ms",
        kinds: PROGRAMS,
        api: Api::Small,
        connections: 1000,
        door: Door::Slow,
        callers: Callers::One,
        run: Run::FullSpeed,
    },
    Scenario {
        name: "reload",
        what: "1 KiB replies at a fixed rate, while the configuration is read again once a second",
        kinds: &[Kind::Nginx, Kind::NginxLua, Kind::Haproxy, STRICT],
        api: Api::Small,
        connections: 64,
        door: Door::Plain,
        callers: Callers::One,
        run: Run::Reload,
    },
];
