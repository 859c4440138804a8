//! The catalogue of error codes, GSTN's and our own, read from `data/errors.tsv`: what each means and what to do.

use std::fmt;
use std::sync::LazyLock;

use serde::{Serialize, Serializer};

use super::{given, rows};

/// What one error code means, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorEntry {
    /// The code, such as `AUTH4033`.
    pub code: &'static str,
    /// What it means, in a sentence.
    pub message: &'static str,
    /// Where the failure lies.
    pub origin: Origin,
    /// The HTTP status: always for codes of our own, else only where GSTN's is not 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// Whether the same call, unchanged, may succeed later.
    pub retryable: bool,
    /// What to do, in plain words.
    pub remedy: &'static str,
}

/// Where a failure lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// In the gateway: it refused the caller, or failed.
    Gsp,
    /// At GSTN.
    Gstn,
    /// Between the gateway and GSTN.
    Network,
    /// In the form of the ASP's request.
    Asp,
}

/// The entry of `code`; blanks around it do not count, capitals do.
pub fn error(code: &str) -> Option<&'static ErrorEntry> {
    let entries = errors();
    entries.binary_search_by(|entry| entry.code.cmp(code.trim())).ok().map(|index| &entries[index])
}

/// Every entry, sorted by code.
pub fn errors() -> &'static [ErrorEntry] {
    static ERRORS: LazyLock<Vec<ErrorEntry>> = LazyLock::new(|| {
        let mut entries: Vec<_> =
            rows(include_str!("../../data/errors.tsv")).filter_map(ErrorEntry::read).collect();
        entries.sort_by_key(|entry| entry.code);
        entries
    });
    &ERRORS
}

impl ErrorEntry {
    fn read(row: [&'static str; 6]) -> Option<Self> {
        let [code, origin, http_status, retryable, message, remedy] = row;
        let http_status = match given(http_status) {
            Some(status) => Some(status.parse().ok()?),
            None => None,
        };
        let retryable = retryable == "yes";
        Some(Self { code, message, origin: Origin::from_name(origin)?, http_status, retryable, remedy })
    }
}

impl Origin {
    /// `gsp`, `gstn`, `network` or `asp`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gsp => "gsp",
            Self::Gstn => "gstn",
            Self::Network => "network",
            Self::Asp => "asp",
        }
    }

    /// The origin of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Gsp, Self::Gstn, Self::Network, Self::Asp].into_iter().find(|origin| origin.as_str() == name)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code of a GSP that the documents name, and of our own.
    const OF_A_GSP: &str = "GSP001 GSP001A GSP001G GSP001GA GSP002 GSP003 GSP004 GSP005 GSP005A GSP006 GSP007 \
        GSP008 GSP009 GSP009A GSP009B GSP011 GSP012 GSP013 GSP014 GSP014A GSP016 GSP017 GSP018 GSP019 GSP020 \
        GSP020A GSP021 GSP022 GSP024 GSP025 GSP027 GSP030 GSP032 GSP050D GSP099 GSP102 GSP500 GSP501 GSP502 \
        GSP503 GSP752 GSP601 GSP602 GSP603 GSP604 GSP605 GSP606 GSP607 GSP610 GSP611 GSP612 GSP613 GSP614 \
        GSP615 GSP616 GSP617 GSP620 GSP621 GSP622 GSP630 GSP631 GSP640 GSP641 GSP642 GSP643 GSP644 GSP652 \
        GSP653 GSP654 GSP660 GSP661 GSP662 GSP663 GSP664 GSP665 GSP666 GSP667 GSP670 GSP671 GSP672 GSP673 GSP674 \
        GSP676 GSP677";

    /// Every code of GSTN, and of GSPs on its behalf, that the documents name.
    const OF_GSTN: &str = "AUT4031 AUT4032 AUT4033 AUT4034 AUTH002 AUTH403 AUTH4032 AUTH4033 AUTH4034 AUTH4035 \
        AUTH4036 AUTH4037 AUTH4038 AUTH4039 AUTH4040 AUTH4041 AUTH113 AUTH117 AUTH119 AUTH141 AUTH143 AUTH150 AUTH151 \
        AUTH154 AUTH158 TEC4001 TEC4002 TEC4003 GEN4004 GEN5001 GEN5005 GEN5007 GEN5008 SWEB_9002 SWEB_9033 SWEB_9035 \
        SWEB9002 SWEB9033 SWEB9035 AUTH_9002 AUTH_9033 AUTH_9035 AUTH_9036 OTP0001 OTP0002 OTP0003 OTP0004 OTP0005 \
        OTP0006 OTP0007 OTP0008 OTP0009 OTP0010 OTP0011 RT-R1R3BAV-1007 RETOTPREQUEST EVCREQUEST GSPGSTDOWN GSPERR300 \
        RET11400 RET11401 RET11402 RET11403 RET11404 RET11405 RET11406 RET11407 RET11408 RET11409 RET11410 RET11416 \
        RET11417 RET11420 RET12501 RET12502 RET12503 RET12504 RET12505 RET12521 RET12523 RET12590 RET13501 RET13504 \
        RET13505 RET13506 RET13507 RET13508 RET13509 RET13510 RET13511 RET00003 RET00009 RET09001 RT_FIL_02 RT_FIL_09 \
        RT_FIL_10 RT_FIL_017 RT_FIL_018 RT_FIL_24 RT_FIL_25 RT_FIL_31 RTN_02 RTN_11 RTN_15 RTN_17 RTN_24 RTN_25 \
        RTN_27 RTN_31 RTN_32 RTN_FIL_28 RTN_FIL_29 RTN_FIL_30 RTDSC04 RTDSC05 RET191101 RET191103 RET191104 RET191106 \
        RET191107 RET191110 RET191111 RET191112 RET191113 RET191114 RET191115 RET191117 RET191119 RET191120 RET191121 \
        RET191122 RET191123 RET191124 RET191125 RET191126 RET191131 RET191133 RET191134 RET191135 RET191136 RET191138 \
        RET191139 RET191140 RET191141 RET191143 RET191148 RET191150 RET191151 RET191152 RET191153 RET191154 RET191157 \
        RET191158 RET191159 RET191160 RET191164 RET191165 RET191166 RET191168 RET191170 RET191171 RET191172 RET191175 \
        RET191176 RET191178 RET191179 RET191180 RET191181 RET191182 RET191183 RET191184 RET191185 RET191188 RET191189 \
        RET191190 RET191191 RET191192 RET191193 RET191194 RET191195 RET191196 RET191197 RET191198 RET191199 RET191200 \
        RET191202 RET191203 RET191204 RET191251 RET191349 RET191350 RET191353 RET191355 RET192409 RET91708 RET2B1010 \
        RET2B1016 RET2B1018 RET2B1023 GTR2B-001 GTR2B-002 IMS2005 IMS2B007 IMS2B009 IMSSAV005 IMSSAV0010 IMSSAV0015 \
        RT-3BAS1009 RT-3BAS1043 RT-3BAS1070 RT-3BGV1005 RT-3BSP104 EINV30107 EINV30108 EINV30109 EINV30113 EINV30118 \
        FO8000 LG9221";

    /// Every code that the simulated GSTN has beyond GSTN's own.
    const OF_THE_SANDBOX: &str = "SBX404 SBX413 SBX501";

    #[test]
    fn every_code_of_the_documents_has_an_entry_and_no_other_code_has() {
        let codes = || [OF_A_GSP, OF_GSTN, OF_THE_SANDBOX].into_iter().flat_map(str::split_whitespace);
        for code in codes() {
            assert_eq!(error(code).map(|entry| entry.code), Some(code));
        }
        assert_eq!(errors().len(), codes().count());
        for unknown in ["", "GSP", "gsp602", "GSP6022", "AUTH40330", "RET191102"] {
            assert_eq!(error(unknown), None, "{unknown}");
        }
        assert_eq!(error(" AUTH4033\r\n").map(|entry| entry.code), Some("AUTH4033"));
    }

    #[test]
    fn every_row_of_the_table_is_read_and_no_code_twice() {
        let lines = include_str!("../../data/errors.tsv").lines().filter(|line| !line.starts_with('#'));
        assert_eq!(errors().len(), lines.count());
        assert!(errors().windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn every_entry_says_in_whole_sentences_what_it_means_and_what_to_do() {
        for entry in errors() {
            for sentence in [entry.message, entry.remedy] {
                assert!(sentence.len() > 10 && sentence.trim() == sentence, "{entry:?}");
                assert!(sentence.ends_with(['.', '…']), "{entry:?}");
            }
            assert_ne!(entry.message, entry.remedy);
        }
    }

    #[test]
    fn our_own_errors_have_an_http_status_that_fits_them() {
        for entry in OF_A_GSP.split_whitespace().filter_map(error) {
            let status = entry.http_status.unwrap();
            match entry.origin {
                Origin::Network => assert!(matches!(status, 502 | 504), "{entry:?}"),
                Origin::Asp => assert!((400..500).contains(&status), "{entry:?}"),
                Origin::Gsp | Origin::Gstn => assert!((400..=503).contains(&status), "{entry:?}"),
            }
        }
        let status = |code| error(code).unwrap().http_status.unwrap();
        assert_eq!(
            ["GSP602", "GSP021", "GSP019", "GSP025", "GSP620", "GSP621", "GSP612", "GSP611", "GSP640"]
                .map(status),
            [401, 403, 402, 429, 404, 405, 413, 431, 503]
        );
        assert_eq!(
            ["GSP027", "GSP030", "GSP032", "GSP099", "AUT4033"].map(status),
            [502, 502, 504, 502, 403]
        );
    }

    #[test]
    fn only_what_may_pass_by_itself_is_retryable() {
        for code in
            ["GSP025", "GSP030", "GSP641", "TEC4001", "RTN_24", "RET191182", "IMSSAV0015", "EINV30109"]
        {
            assert!(error(code).unwrap().retryable, "{code}");
        }
        for code in
            ["GSP602", "GSP652", "AUTH4033", "TEC4002", "RET191113", "RET13510", "RT_FIL_02", "RTN_25"]
        {
            assert!(!error(code).unwrap().retryable, "{code}");
        }
    }
}
