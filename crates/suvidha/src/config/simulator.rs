//! `[simulator]`: how the simulated GSTN of `suvidha sandbox` behaves.

use std::time::Duration;

use suvidha_sandbox::{AtSessionLimit, Config, Latency, WhileProcessing};

use super::reader::Section;
use super::setting::{Bytes, Word};

pub(super) fn from_section(mut section: Section<'_, '_>) -> Config {
    let default = Config::default();
    Config {
        latency: latency(section.section("latency")),
        while_processing: section.get("while_processing", default.while_processing),
        token_minutes: minutes(&mut section, "token_life", default.token_minutes),
        consent_minutes: minutes(&mut section, "consent_life", default.consent_minutes),
        otp_minutes: minutes(&mut section, "otp_life", default.otp_minutes),
        otp: otp(&mut section, default.otp),
        session_limit: section.get("session_limit", default.session_limit),
        at_session_limit: section.get("at_session_limit", default.at_session_limit),
        evc_sign_check: section.get("evc_sign_check", default.evc_sign_check),
        strict_period_header: section.get("strict_period_header", default.strict_period_header),
        max_body_bytes: max_body(&mut section, default.max_body_bytes),
        remembered_calls: section.get("remembered_calls", default.remembered_calls),
        environment: default.environment,
        data_dir: default.data_dir,
        listen: default.listen,
        management: default.management,
        clients: default.clients,
        public_users: default.public_users,
    }
}

fn latency(mut section: Section<'_, '_>) -> Latency {
    let default = Latency::default();
    let mut millis = |key, default: u32| {
        let at = section.locate(key);
        let time = section.get(key, Duration::from_millis(default.into()));
        u32::try_from(time.as_millis()).unwrap_or_else(|_| {
            section.problem(at, key, "at most 49 days");
            default
        })
    };
    Latency {
        save_base_ms: millis("save", default.save_base_ms),
        ptf_ms: millis("proceed_to_file", default.ptf_ms),
        rows_per_second: section.get("rows_per_second", default.rows_per_second),
    }
}

fn minutes(section: &mut Section<'_, '_>, key: &'static str, default: u32) -> u32 {
    let at = section.locate(key);
    let time = section.get(key, Duration::from_secs(u64::from(default) * 60));
    match u32::try_from(time.as_secs() / 60) {
        Ok(minutes) if minutes > 0 && Duration::from_secs(u64::from(minutes) * 60) == time => minutes,
        _ => {
            section.problem(at, key, "a whole number of minutes, and at least one");
            default
        }
    }
}

fn otp(section: &mut Section<'_, '_>, default: String) -> String {
    let at = section.locate("otp");
    let otp = section.get("otp", default);
    if otp.len() != 6 || !otp.bytes().all(|b| b.is_ascii_digit()) {
        section.problem(at, "otp", "an OTP has six digits");
    }
    otp
}

fn max_body(section: &mut Section<'_, '_>, default: usize) -> usize {
    let at = section.locate("max_body");
    let Bytes(bytes) = section.get("max_body", Bytes(default as u64));
    usize::try_from(bytes).unwrap_or_else(|_| {
        section.problem(at, "max_body", "more than this machine can address");
        default
    })
}

impl Word for WhileProcessing {
    const WORDS: &'static [(&'static str, Self)] = &[("refuse", Self::Refuse), ("queue", Self::Queue)];
}

impl Word for AtSessionLimit {
    const WORDS: &'static [(&'static str, Self)] = &[("replace", Self::Replace), ("refuse", Self::Refuse)];
}
