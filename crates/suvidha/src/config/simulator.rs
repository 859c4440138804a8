//! `[simulator]`: how the simulated GSTN of `suvidha sandbox` behaves.

use std::time::Duration;

use clap::ValueEnum;
use gstn::ReturnPeriod;
use suvidha_sandbox::{AtSessionLimit, Config, DscCheck, Files, Latency, ManagementToken, WhileProcessing};

use super::reader::Section;
use super::setting::{Bytes, Setting, Word};
use toml::de::DeValue;

pub(super) fn from_section(mut section: Section<'_, '_>) -> Config {
    let default = Config::default();
    let mut rules = default.rules;
    let mut switches = section.section("rules");
    for (key, rule) in [
        ("previous_return_first", &mut rules.previous_return_first),
        ("whole_rupees", &mut rules.whole_rupees),
        ("lock_liability", &mut rules.lock_liability),
        ("lock_inter_state", &mut rules.lock_inter_state),
        ("rule_86b", &mut rules.rule_86b),
        ("statements_block", &mut rules.statements_block),
        ("three_year_bar", &mut rules.three_year_bar),
        ("amendments_need_original", &mut rules.amendments_need_original),
        ("amendments_end", &mut rules.amendments_end),
        ("check_tax_amounts", &mut rules.check_tax_amounts),
    ] {
        *rule = switches.get(key, *rule);
    }
    drop(switches);
    Config {
        rules,
        latency: latency(section.section("latency")),
        while_processing: section.get("while_processing", default.while_processing),
        token_minutes: minutes(&mut section, "token_life", default.token_minutes),
        consent_minutes: minutes(&mut section, "consent_life", default.consent_minutes),
        otp_minutes: minutes(&mut section, "otp_life", default.otp_minutes),
        otp: otp(&mut section, default.otp),
        session_limit: section.get("session_limit", default.session_limit),
        at_session_limit: section.get("at_session_limit", default.at_session_limit),
        evc_sign_check: section.get("evc_sign_check", default.evc_sign_check),
        dsc_check: section.get("dsc_check", default.dsc_check),
        strict_period_header: section.get("strict_period_header", default.strict_period_header),
        einvoice_delay_days: section.get("einvoice_delay_days", default.einvoice_delay_days),
        twoa_shows_saved: section.get("twoa_shows_saved", default.twoa_shows_saved),
        twob_part_documents: section.get("twob_part_documents", default.twob_part_documents),
        max_body_bytes: max_body(&mut section, default.max_body_bytes),
        remembered_calls: section.get("remembered_calls", default.remembered_calls),
        management_token: section.get("management_token", default.management_token),
        remembered_bytes: remembered_bytes(&mut section, default.remembered_bytes),
        strict: section.get("strict", default.strict),
        rules_as_of: section.optional("rules_as_of"),
        files: files(section.section("files"), default.files),
        ..default
    }
}

fn latency(mut section: Section<'_, '_>) -> Latency {
    let profile = section.get("profile", Profile::Quick).latency();
    let mut millis = |key, default: u32| {
        let at = section.locate(key);
        let time = section.optional::<Duration>(key).unwrap_or(Duration::from_millis(default.into()));
        u32::try_from(time.as_millis()).unwrap_or_else(|_| {
            section.problem(at, key, "at most 49 days");
            default
        })
    };
    Latency {
        save_base_ms: millis("save", profile.save_base_ms),
        ptf_ms: millis("proceed_to_file", profile.ptf_ms),
        offset_ms: millis("offset", profile.offset_ms),
        gen2b_ms: millis("generate_2b", profile.gen2b_ms),
        ims_ms: millis("ims", profile.ims_ms),
        file_ms: millis("files", profile.file_ms),
        rows_per_second: section.optional("rows_per_second").unwrap_or(profile.rows_per_second),
    }
}

/// A set of latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// At once
    None,
    /// Half a second
    Quick,
    /// As users of live GSTN report
    Realistic,
}

impl Profile {
    pub(crate) fn latency(self) -> Latency {
        match self {
            Self::None => Latency::NONE,
            Self::Quick => Latency::QUICK,
            Self::Realistic => Latency::REALISTIC,
        }
    }
}

fn files(mut section: Section<'_, '_>, default: Files) -> Files {
    let mut count = |key, default: usize| {
        let at = section.locate(key);
        let count = section.get(key, default);
        if count == 0 {
            section.problem(at, key, "at least 1");
        }
        count
    };
    let (limit, per_archive) = (count("limit", default.limit), count("per_archive", default.per_archive));
    Files {
        limit,
        per_archive,
        url_minutes: minutes(&mut section, "url_life", default.url_minutes),
        estimate_minutes: section.get("estimate_minutes", default.estimate_minutes),
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

fn remembered_bytes(section: &mut Section<'_, '_>, default: usize) -> usize {
    let at = section.locate("remembered_bytes");
    let Bytes(bytes) = section.get("remembered_bytes", Bytes(default as u64));
    usize::try_from(bytes).unwrap_or_else(|_| {
        section.problem(at, "remembered_bytes", "more than this machine can address");
        default
    })
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

impl Word for DscCheck {
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self::Off), ("lenient", Self::Lenient), ("strict", Self::Strict)];
}

impl Word for AtSessionLimit {
    const WORDS: &'static [(&'static str, Self)] = &[("replace", Self::Replace), ("refuse", Self::Refuse)];
}

impl Word for ManagementToken {
    const WORDS: &'static [(&'static str, Self)] = &[("kept", Self::Kept), ("none", Self::None)];
}

impl Word for Profile {
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("quick", Self::Quick), ("realistic", Self::Realistic)];
}

impl Setting for ReturnPeriod {
    fn expected() -> String {
        r#"a tax period such as "042026""#.into()
    }

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
}
