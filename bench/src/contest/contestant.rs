//! Who takes part, and what is measured of each.

use std::path::PathBuf;
use std::time::Duration;

use super::call::Calls;
use super::server::{Server, send};
use super::wrk::{self, Crowd};
use crate::Failure;
use crate::asps::Identity;
use crate::gateway::Gateway;
use crate::process::{cpu_time, memory_kib};
use crate::tools::Tool;

/// A contestant by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing in between.
    Direct,
    Nginx,
    /// With buffers that hold all of a large reply.
    NginxLarge,
    NginxLua,
    Haproxy,
    Envoy,
    Suvidha(By, Ledger),
}

/// How ASPs identify themselves to Suvidha.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Token,
    Session,
}

/// What Suvidha keeps of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ledger {
    Off,
    Relaxed,
    Strict,
}

/// What the targets are about.
pub(crate) const STRICT: Kind = Kind::Suvidha(By::Token, Ledger::Strict);
pub(crate) const BY_SESSION: Kind = Kind::Suvidha(By::Session, Ledger::Strict);
pub(crate) const RELAXED: Kind = Kind::Suvidha(By::Token, Ledger::Relaxed);
pub(crate) const OFF: Kind = Kind::Suvidha(By::Token, Ledger::Off);

impl Kind {
    /// As the raw data name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::NginxLarge => "nginx-large",
            Self::NginxLua => "nginx-lua",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Suvidha(By::Token, Ledger::Off) => "suvidha-token-off",
            Self::Suvidha(By::Token, Ledger::Relaxed) => "suvidha-token-relaxed",
            Self::Suvidha(By::Token, Ledger::Strict) => "suvidha-token-strict",
            Self::Suvidha(By::Session, Ledger::Off) => "suvidha-session-off",
            Self::Suvidha(By::Session, Ledger::Relaxed) => "suvidha-session-relaxed",
            Self::Suvidha(By::Session, Ledger::Strict) => "suvidha-session-strict",
        }
    }

    /// As the report names it, with what it does for a call.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Direct => "the upstream, directly",
            Self::Nginx => "nginx: passes on",
            Self::NginxLarge => "nginx with buffers of 256 KiB: passes on",
            Self::NginxLua => "nginx + Lua: token by SHA-256, rate, count",
            Self::Haproxy => "HAProxy: key, rate",
            Self::Envoy => "Envoy: key, one rate for all",
            Self::Suvidha(By::Token, Ledger::Off) => "Suvidha as a library: token, limits; no ledger, no log",
            Self::Suvidha(By::Token, Ledger::Relaxed) => "Suvidha: token, ledger relaxed",
            Self::Suvidha(By::Token, Ledger::Strict) => "**Suvidha: token, ledger strict**",
            Self::Suvidha(By::Session, Ledger::Off) => {
                "Suvidha as a library: session, limits; no ledger, no log"
            }
            Self::Suvidha(By::Session, Ledger::Relaxed) => "Suvidha: session, ledger relaxed",
            Self::Suvidha(By::Session, Ledger::Strict) => "**Suvidha: session, ledger strict**",
        }
    }

    /// As the chart names it.
    pub(crate) fn short(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::NginxLarge => "nginx, 256 KiB buffers",
            Self::NginxLua => "nginx + Lua",
            Self::Haproxy => "HAProxy",
            Self::Envoy => "Envoy",
            Self::Suvidha(_, Ledger::Off) => "Suvidha, no ledger, no log",
            Self::Suvidha(By::Token, Ledger::Relaxed) => "Suvidha, relaxed",
            Self::Suvidha(By::Token, Ledger::Strict) => "Suvidha, strict",
            Self::Suvidha(By::Session, Ledger::Relaxed) => "Suvidha, session, relaxed",
            Self::Suvidha(By::Session, Ledger::Strict) => "Suvidha, session, strict",
        }
    }

    /// What must be installed for it.
    pub(crate) fn tool(self) -> Option<Tool> {
        match self {
            Self::Direct | Self::Suvidha(..) => None,
            Self::Nginx | Self::NginxLarge => Some(Tool::Nginx),
            Self::NginxLua => Some(Tool::NginxLua),
            Self::Haproxy => Some(Tool::Haproxy),
            Self::Envoy => Some(Tool::Envoy),
        }
    }

    /// Whether it asks who calls.
    pub(crate) fn authenticates(self) -> bool {
        !matches!(self, Self::Direct | Self::Nginx | Self::NginxLarge)
    }
}

/// What runs.
pub(crate) enum Running {
    /// The upstream, which is measured with nobody.
    Upstream,
    Server(Server),
    Gateway(Gateway),
}

/// One contestant, ready to be called.
pub(crate) struct Contestant {
    pub(crate) kind: Kind,
    /// Scheme, host and port.
    pub(crate) base: String,
    pub(crate) calls: Calls,
    /// Somebody it does not know.
    pub(crate) stranger: Identity,
    pub(crate) running: Running,
    /// For the files of those who call it.
    pub(crate) room: PathBuf,
}

/// A contestant at full speed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// CPU time of all its processes, in µs per call.
    pub(crate) cost: f64,
    pub(crate) per_second: f64,
    /// The part of its core that it used.
    pub(crate) busy: f64,
    /// The part of the calls that was refused.
    pub(crate) refused: f64,
    pub(crate) failed: f64,
    /// Memory in use right after, of all its processes, in MiB.
    pub(crate) rss: f64,
}

impl Contestant {
    /// Its answers are those of the upstream, and who is unknown is refused.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let name = self.kind.name();
        let one = Calls { api: self.calls.api, identities: self.calls.identities[..1].to_vec() };
        let answers = wrk::look(&self.room, &self.base, &one)?;
        if answers.statuses != (200, 200) || answers.equal != answers.all || answers.all == 0 {
            return Err(format!("{name} does not answer what the upstream answers: {answers:?}").into());
        }
        if self.kind.authenticates() {
            let stranger = Calls { api: self.calls.api, identities: vec![self.stranger.clone()] };
            let answers = wrk::look(&self.room, &self.base, &stranger)?;
            if answers.statuses != (401, 401) || answers.equal > 0 {
                return Err(format!("{name} does not refuse a wrong secret with 401: {answers:?}").into());
            }
        }
        Ok(())
    }

    /// Calls as fast as it answers.
    pub(crate) fn at_full_speed(&self, crowd: Crowd) -> Result<Sample, Failure> {
        self.tidy()?;
        let processes = self.processes()?;
        let spent = || processes.iter().map(|process| cpu_time(*process)).sum::<Result<Duration, _>>();
        let before = spent()?;
        let done = wrk::run(&self.room, &self.base, &self.calls, crowd)?;
        let spent = spent()?.saturating_sub(before).as_secs_f64();
        if done.calls == 0.0 {
            return Err(format!("{} answered no call", self.kind.name()).into());
        }
        Ok(Sample {
            cost: spent * 1e6 / done.calls,
            per_second: done.calls / done.seconds,
            busy: spent / done.seconds,
            refused: done.refused / done.calls,
            failed: done.failed,
            rss: self.resident()?,
        })
    }

    /// Lets it read its configuration again.
    pub(crate) fn reload(&self) -> Result<(), Failure> {
        match &self.running {
            Running::Upstream => Ok(()),
            Running::Gateway(gateway) => send("HUP", gateway.process()),
            Running::Server(server) => server.signal(if self.kind == Kind::Haproxy { "USR2" } else { "HUP" }),
        }
    }

    /// All processes it consists of.
    pub(crate) fn processes(&self) -> Result<Vec<u32>, Failure> {
        match &self.running {
            Running::Upstream => Ok(Vec::new()),
            Running::Server(server) => server.processes(),
            Running::Gateway(gateway) => Ok(vec![gateway.process()]),
        }
    }

    fn resident(&self) -> Result<f64, Failure> {
        let all = self.processes()?.into_iter().map(|process| memory_kib(process, "VmRSS"));
        Ok(all.sum::<Result<u64, _>>()? as f64 / 1024.0)
    }

    /// Keeps the disk from filling up with the log of the rounds before.
    fn tidy(&self) -> Result<(), Failure> {
        if let Running::Gateway(gateway) = &self.running { gateway.forget_log() } else { Ok(()) }
    }
}
