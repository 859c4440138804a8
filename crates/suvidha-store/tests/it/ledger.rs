//! The ledger, told from the counter where calls are written down.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use gstn::catalogue::{Family, Origin};
use jiff::SignedDuration;
use proptest::prelude::*;
use suvidha_store::PlanKind;
use suvidha_store::ledger::{
    Admitted, AspOpening, By, Consent, ConsentChange, DailyGroup, Entry, Filter, Group, Health, Observer,
    Order, Outcome, Release, Ticket,
};

use crate::counter::{Counter, asp};

#[test]
fn what_was_committed_is_read_as_it_was_submitted() {
    let counter = Counter::new();
    let (writer, witness) = counter.start();
    let entries: Vec<_> = (0..20).map(|_| counter.a_call()).collect();
    let tickets: Vec<_> = entries.iter().map(|entry| writer.submit(entry.clone(), Release::Held)).collect();
    witness.wait(|told| Some(&told.committed) == tickets.last());
    assert_eq!(writer.committed(), *tickets.last().unwrap());
    let read = counter.all();
    assert_eq!(read.iter().map(|recorded| recorded.seq).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    assert_eq!(read.into_iter().map(|recorded| recorded.entry).collect::<Vec<_>>(), entries);
    assert_eq!(counter.reader().charged(&asp(1)).unwrap(), 20);
    assert_eq!(counter.reader().head().unwrap(), writer.figures().head);
}

#[test]
fn entries_are_read_from_either_end_in_pages() {
    let counter = Counter::new();
    counter.written((0..10).map(|_| counter.a_call()));
    let reader = counter.reader();
    let page = reader.entries(&Filter::default(), Order::NewestFirst, None, 4).unwrap();
    assert_eq!(page.entries.iter().map(|e| e.seq).collect::<Vec<_>>(), [10, 9, 8, 7]);
    assert_eq!((page.reached, page.more), (7, true));
    let page = reader.entries(&Filter::default(), Order::NewestFirst, Some(3), 4).unwrap();
    assert_eq!(page.entries.iter().map(|e| e.seq).collect::<Vec<_>>(), [2, 1]);
    assert_eq!((page.reached, page.more), (1, false));
    let page = reader.entries(&Filter::default(), Order::OldestFirst, Some(10), 4).unwrap();
    assert_eq!((page.entries.len(), page.reached, page.more), (0, 10, false));
}

/// Calls of two ASPs on three days, some failed, and one stranger's.
fn mixed(counter: &Counter) {
    let mut calls = Vec::new();
    for (day, at) in ["2026-11-20T18:29:59.999999Z", "2026-11-20T18:30:00Z", "2026-11-22T10:00:00Z"]
        .into_iter()
        .enumerate()
    {
        for number in 0..12_u64 {
            let mut call = counter.a_call();
            call.at = at.parse().unwrap();
            call.aspid = Some(asp(1 + number % 2));
            call.gstin = (number % 3 > 0).then(|| format!("27AAPFU093{}F1ZV", number % 3));
            call.api = Some(["taxpayerapi/returns/gstr1", "taxpayerapi/returns/gstr3b"][day % 2].to_owned());
            if number % 4 == 3 {
                call.error_cd = Some("RET191106".to_owned());
                call.origin = Some(Origin::Gstn);
                call.gstn_us = None;
            }
            calls.push(call);
        }
    }
    calls.push(Entry {
        aspid: None,
        claimed_aspid: Some(asp(9)),
        gstin: None,
        api: None,
        plan: None,
        units: 0,
        admitted: false,
        status: Some(401),
        outcome: Outcome::Refused,
        origin: Some(Origin::Gsp),
        error_cd: Some("GSP601".to_owned()),
        ..counter.a_call()
    });
    counter.written(calls);
}

#[test]
fn a_summary_of_the_kept_sums_is_that_of_the_entries() {
    let counter = Counter::new();
    mixed(&counter);
    let reader = counter.reader();
    let whole_days = Filter {
        from: Some("2026-11-20T18:30:00Z".parse().unwrap()),
        until: Some("2026-11-22T18:30:00Z".parse().unwrap()),
        ..Filter::default()
    };
    let one_asp = Filter { aspid: Some(asp(2)), ..whole_days.clone() };
    let one_api = Filter { api: Some("taxpayerapi/returns".to_owned()), ..Filter::default() };
    for filter in [Filter::default(), whole_days, one_asp, one_api] {
        for by in [&[][..], &[By::Day], &[By::Asp, By::Api], &[By::Api, By::Day]] {
            let kept = reader.summary(&filter, by).unwrap();
            // Begins within a day, so that the kept sums cannot answer, and before the first entry.
            let from = filter.from.or(Some("2026-01-01T00:00:01Z".parse().unwrap()));
            let from =
                from.map(|from| from + SignedDuration::from_micros(i64::from(from.subsec_nanosecond() == 0)));
            let scanned = reader.summary(&Filter { from, ..filter.clone() }, by).unwrap();
            if filter.from.is_none() {
                assert_eq!(kept, scanned, "{filter:?} {by:?}");
            }
            let calls: u64 = kept.iter().map(|group| group.totals.calls).sum();
            assert_eq!(calls, counter.found(&filter).len() as u64, "{filter:?} {by:?}");
        }
    }
    let by_error = reader.summary(&Filter::default(), &[By::Error, By::Origin]).unwrap();
    let key = |group: &Group| {
        group.key.iter().map(|key| key.clone().unwrap_or_default()).collect::<Vec<_>>().join(" ")
    };
    let shown: Vec<_> = by_error.iter().map(|group| (key(group), group.totals.calls)).collect();
    assert_eq!(shown, [(" ".to_owned(), 27), ("GSP601 gsp".to_owned(), 1), ("RET191106 gstn".to_owned(), 9)]);
}

#[test]
fn a_daily_summary_is_the_same_in_pages_of_any_size() {
    let counter = Counter::new();
    mixed(&counter);
    let reader = counter.reader();
    let days = ("2026-11-20".parse().unwrap(), "2026-11-22".parse().unwrap());
    let whole = reader.daily_summary(&asp(1), days, None, 1000).unwrap();
    assert!(!whole.more);
    let shown: Vec<_> = whole
        .groups
        .iter()
        .map(|group| (group.key.day.to_string(), group.key.gstin.as_str(), group.totals.calls))
        .collect();
    let each = ["", "27AAPFU0931F1ZV", "27AAPFU0932F1ZV"];
    let expected: Vec<_> = ["2026-11-20", "2026-11-21", "2026-11-22"]
        .into_iter()
        .flat_map(|day| each.map(|gstin| (day.to_owned(), gstin, 2)))
        .collect();
    assert_eq!(shown, expected);
    for size in 1..8 {
        let (mut groups, mut more) = (Vec::<DailyGroup>::new(), true);
        while more {
            let after = groups.last().map(|group| group.key.clone());
            let page = reader.daily_summary(&asp(1), days, after.as_ref(), size).unwrap();
            assert!(page.groups.len() <= size);
            groups.extend(page.groups);
            more = page.more;
        }
        assert_eq!(groups, whole.groups);
    }
}

#[test]
fn every_condition_of_a_filter_counts() {
    let counter = Counter::new();
    mixed(&counter);
    let all = counter.all();
    let one = Entry { txn: Some("only-this".to_owned()), status: Some(418), ..counter.a_call() };
    counter.written([one.clone()]);
    let text = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (Filter { aspid: Some(asp(1)), ..Filter::default() }, 19),
        (Filter { gstin: text("27AAPFU0931F1ZV"), ..Filter::default() }, 12),
        (Filter { api: text("taxpayerapi"), ..Filter::default() }, 37),
        (Filter { api: text("taxpayerapi/returns/gstr"), ..Filter::default() }, 0),
        (Filter { api: text("taxpayerapi/returns/gstr3b"), ..Filter::default() }, 12),
        (Filter { action: text("B2B"), ..Filter::default() }, 38),
        (Filter { error_cd: text("GSP601"), ..Filter::default() }, 1),
        (Filter { origin: Some(Origin::Gstn), ..Filter::default() }, 9),
        (Filter { outcome: Some(Outcome::Refused), ..Filter::default() }, 1),
        (Filter { status: Some(418), ..Filter::default() }, 1),
        (Filter { txn: text("only-this"), ..Filter::default() }, 1),
        (Filter { id: Some(one.id), ..Filter::default() }, 1),
        (Filter { from: Some("2026-11-20T18:30:00Z".parse().unwrap()), ..Filter::default() }, 26),
        (Filter { until: Some("2026-11-20T18:30:00Z".parse().unwrap()), ..Filter::default() }, 12),
    ] {
        assert_eq!(counter.found(&filter).len(), expected, "{filter:?}");
    }
    assert_eq!(all.len(), 37);
}

#[test]
fn a_ledger_is_read_and_verified_while_it_is_written() {
    let counter = Counter::new();
    let (writer, _witness) = counter.start();
    let reader = counter.reader();
    std::thread::scope(|threads| {
        let written = threads.spawn(|| {
            for number in 0..6_000_i64 {
                let at = counter.now() + SignedDuration::from_mins(number);
                writer.submit(Entry { at, ..counter.a_call() }, Release::Done);
            }
            writer.stop().unwrap();
        });
        while !written.is_finished() {
            let head = reader.head().unwrap();
            let verified = reader.verify(Some(head), |finding| panic!("{finding}"), |_| {}).unwrap();
            assert!(verified.head.seq >= head.seq);
            let charged = reader.charged(&asp(1)).unwrap();
            assert!(charged >= verified.head.seq);
        }
        written.join().unwrap();
    });
    assert_eq!(reader.verify(None, |finding| panic!("{finding}"), |_| {}).unwrap().entries, 6_000);
}

/// Who waits is not who writes.
#[test]
fn an_observer_that_panics_does_not_keep_the_ledger_from_being_written() {
    struct Nervous;
    impl Observer for Nervous {
        fn committed(&self, _: Ticket) {
            panic!("told too much");
        }
        fn failed(&self, _: RangeInclusive<Ticket>, _: &[Entry]) {}
    }
    let counter = Counter::new();
    let writer = counter.open().unwrap().start(Duration::ZERO, None, Arc::new(Nervous)).unwrap();
    for _ in 0..3 {
        writer.submit(counter.a_call(), Release::Held);
    }
    writer.stop().unwrap();
    assert_eq!(writer.health(), Health::Writing);
    assert_eq!(counter.all().len(), 3);
}

#[test]
fn what_a_gateway_must_know_when_it_starts_is_summed_by_asp_and_family() {
    let counter = Counter::new();
    let call = |at: &str| Entry { at: at.parse().unwrap(), ..counter.a_call() };
    let search = Entry { api: Some("commonapi/search".to_owned()), ..call("2026-11-22T10:00:00Z") };
    let refused = Entry { admitted: false, plan: None, units: 0, ..call("2026-11-22T10:00:00Z") };
    let postpaid = Entry { plan: Some(PlanKind::Postpaid), units: 5, aspid: Some(asp(2)), ..search.clone() };
    counter.written([
        call("2026-10-31T18:29:59Z"),
        call("2026-10-31T18:30:00Z"),
        call("2026-11-21T18:29:59Z"),
        call("2026-11-21T18:30:00Z"),
        search,
        refused,
        Entry { at: "2026-10-31T18:29:59Z".parse().unwrap(), ..postpaid.clone() },
        postpaid,
    ]);
    let opening = counter.open().unwrap().opening().unwrap();
    let admitted = |today, this_month| Admitted { today, this_month };
    let one = AspOpening {
        prepaid_units: 5,
        postpaid_units_this_month: 0,
        families: [(Some(Family::TaxpayerApi), admitted(1, 3)), (Some(Family::CommonApi), admitted(1, 1))]
            .into(),
    };
    let two = AspOpening {
        prepaid_units: 0,
        postpaid_units_this_month: 5,
        families: [(Some(Family::CommonApi), admitted(1, 1))].into(),
    };
    assert_eq!(opening.asps, [(asp(1), one), (asp(2), two)].into());
}

#[test]
fn the_sessions_of_taxpayers_are_as_the_last_call_left_them() {
    let counter = Counter::new();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let change = |time: &str, gstin: &str, kind: &str| {
        let (gstin, username, lapses_at) =
            (gstin.to_owned(), "asha".to_owned(), Some(at("2026-11-22T16:00:00Z")));
        let consent = match kind {
            "granted" => ConsentChange::Granted { gstin, username, lapses_at },
            "refreshed" => ConsentChange::Refreshed { gstin, username, lapses_at },
            _ => ConsentChange::Ended { gstin, username },
        };
        Entry { at: at(time), consent: Some(consent), ..counter.a_call() }
    };
    counter.written([
        change("2026-11-22T10:00:00Z", "27A", "granted"),
        change("2026-11-22T11:00:00Z", "27A", "refreshed"),
        change("2026-11-22T10:00:00Z", "29B", "granted"),
        change("2026-11-22T12:00:00Z", "29B", "ended"),
        change("2026-11-22T12:00:00Z", "33C", "refreshed"),
        Entry { aspid: Some(asp(2)), ..change("2026-11-22T12:00:00Z", "27A", "granted") },
        Entry { aspid: None, ..change("2026-11-22T12:00:00Z", "99Z", "granted") },
    ]);
    let consent =
        |gstin: &str, granted: Option<&str>, refreshed: Option<&str>, ended: Option<&str>| Consent {
            gstin: gstin.to_owned(),
            username: "asha".to_owned(),
            granted_at: granted.map(at),
            refreshed_at: refreshed.map(at),
            lapses_at: Some(at("2026-11-22T16:00:00Z")),
            ended_at: ended.map(at),
        };
    let (ten, eleven, twelve) =
        (Some("2026-11-22T10:00:00Z"), Some("2026-11-22T11:00:00Z"), Some("2026-11-22T12:00:00Z"));
    let all = [
        consent("27A", ten, eleven, None),
        consent("29B", ten, None, twelve),
        consent("33C", None, twelve, None),
    ];
    let reader = counter.reader();
    assert_eq!(reader.consents(&asp(1), None, 10).unwrap(), all);
    assert_eq!(reader.consents(&asp(1), None, 2).unwrap(), all[..2]);
    assert_eq!(reader.consents(&asp(1), Some(("29B", "asha")), 2).unwrap(), all[2..]);
    assert_eq!(reader.consents(&asp(3), None, 2).unwrap(), []);

    // A new OTP begins a new session.
    counter.written([change("2026-11-22T14:00:00Z", "29B", "granted")]);
    let again = consent("29B", Some("2026-11-22T14:00:00Z"), None, None);
    assert_eq!(counter.reader().consents(&asp(1), Some(("27A", "asha")), 1).unwrap(), [again]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever was called on which plan, on either side of midnight and of the month: a gateway that starts again knows
    /// what the entries say.
    #[test]
    fn what_a_gateway_opens_with_is_what_the_entries_come_to(
        calls in proptest::collection::vec(
            (0..4_u64, 0..6_usize, 0..3_usize, 0..9_u64, any::<bool>(), 0..3_usize), 1..60),
    ) {
        const TIMES: [(&str, bool, bool); 6] = [
            ("2026-10-31T18:29:59.999999Z", false, false),
            ("2026-10-31T18:30:00Z", false, true),
            ("2026-11-21T18:29:59.999999Z", false, true),
            ("2026-11-21T18:30:00Z", true, true),
            ("2026-11-22T10:15:29Z", true, true),
            // The clock was ahead for a while.
            ("2026-11-22T18:30:00Z", false, false),
        ];
        const APIS: [(&str, Option<Family>); 3] = [
            ("taxpayerapi/returns/gstr1", Some(Family::TaxpayerApi)),
            ("taxpayerapi/ledgers", Some(Family::TaxpayerApi)),
            ("nowhere/at/all", None),
        ];
        const PLANS: [PlanKind; 3] = [PlanKind::Prepaid, PlanKind::Postpaid, PlanKind::Unmetered];
        let counter = Counter::new();
        let mut expected = std::collections::BTreeMap::<_, AspOpening>::new();
        let mut entries = Vec::new();
        for (number, time, api, units, admitted, plan) in calls {
            let ((at, today, this_month), (api, family), plan) = (TIMES[time], APIS[api], PLANS[plan]);
            let aspid = (number > 0).then(|| asp(number));
            entries.push(Entry {
                at: at.parse().unwrap(),
                aspid,
                api: Some(api.to_owned()),
                plan: Some(plan),
                units,
                admitted,
                ..counter.a_call()
            });
            let Some(aspid) = aspid else { continue };
            let prepaid = if plan == PlanKind::Prepaid { units } else { 0 };
            if prepaid == 0 && !this_month {
                continue;
            }
            let of_asp = expected.entry(aspid).or_default();
            of_asp.prepaid_units += prepaid;
            if this_month {
                of_asp.postpaid_units_this_month += if plan == PlanKind::Postpaid { units } else { 0 };
                let of_family = of_asp.families.entry(family).or_default();
                of_family.this_month += u64::from(admitted);
                of_family.today += u64::from(admitted && today);
            }
        }
        counter.written(entries);
        let opening = counter.open().unwrap().opening().unwrap();
        prop_assert_eq!(opening.asps, expected);
    }
}
