//! What an ASP reads of itself: its log, its summary, its consents, its balance.

use gstn::AspId;
use gstn::catalogue::Origin;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use suvidha_gateway::config::Config;
use suvidha_store::ledger::{ConsentChange, Entry, Outcome, PlanKind};
use suvidha_store::{Limit, Limits, Plan, TopUp};

use crate::log;
use crate::past::{NOW, call, calls, past, past_with, txns};
use crate::stage::{self, Sandbox, soon};
use crate::stand_in::StandIn;

const DAY: &str = "/aspapi/v1.0/apitxn/dailytxn?TxnDate=22-11-2026";
const BALANCE: &str = "/aspapi/v1.1/getapibalance";

#[test]
fn a_balance_is_what_was_bought_less_what_was_charged() {
    let often = |config: &mut Config| config.aspapi.calls_per_asp = 100_000;
    let past = past_with(often, |own, other| vec![call(own, 0), call(own, 1), call(other, 2)]);
    let (registry, aspid) = (&past.stage.registry, past.stage.aspid);
    let unmetered = json!({
        "ApiBal": 2_147_483_647, "ApiBalExpDt": "2099-12-31T23:59:59+05:30", "Plan": "unmetered", "Unlimited": true,
    });
    assert_eq!(past.get(BALANCE).json(), unmetered);

    let plan = |kind, monthly_cap| registry.set_plan(&aspid, Sandbox, Plan { kind, monthly_cap }).unwrap();
    let becomes = |balance: i64, until: &str| {
        let expected = (json!(balance), json!(until), json!(false));
        let told = || {
            let told = past.get(BALANCE).json();
            (told["ApiBal"].clone(), told["ApiBalExpDt"].clone(), told["Unlimited"].clone())
        };
        assert!(soon(|| told() == expected), "{:?} is not {expected:?}", told());
    };
    plan(PlanKind::Prepaid, None);
    becomes(-4, "1970-01-01T00:00:00+05:30");
    let expires_at = Some("2027-03-31T18:30:00Z".parse().unwrap());
    registry.top_up(&aspid, Sandbox, TopUp { units: 100, expires_at, note: None }).unwrap();
    becomes(96, "2027-03-31T23:59:59+05:30");
    assert_eq!(past.get("/taxpayerapi/v1.0/returns").status, 200);
    becomes(95, "2027-03-31T23:59:59+05:30");
    let csv = past.get(&format!("{BALANCE}?format=csv"));
    let lines = "ApiBal,ApiBalExpDt,Plan,Unlimited\r\n95,2027-03-31T23:59:59+05:30,prepaid,false\r\n";
    assert_eq!(csv.text(), lines, "asking is free");
    plan(PlanKind::Postpaid, Some(1000));
    becomes(1000, "2026-11-30T23:59:59+05:30");
    assert_eq!(past.get("/taxpayerapi/v1.0/returns").status, 200);
    becomes(999, "2026-11-30T23:59:59+05:30");
}

#[test]
fn settings_say_what_the_operator_has_set_and_no_secret() {
    let past = past_with(
        |config| {
            config.aspapi.calls_per_asp = 100_000;
            config.environments[0].limits.per_day = Some(5000);
            config.environments[0].identify.client_credentials = false;
        },
        |_, _| Vec::new(),
    );
    let (registry, aspid) = (&past.stage.registry, past.stage.aspid);
    let secret = registry.enrol(&aspid, Sandbox).unwrap();
    let certificate =
        registry.add_certificate(&aspid, Sandbox, crate::enrolled::KEY.public_key().spki_der()).unwrap();
    registry.set_allowed_ips(&aspid, vec!["127.0.0.0/8".parse().unwrap()]).unwrap();
    let limit = |limits: &mut Limits| limits.per_second = Some(Limit::at_most(50));
    registry.change_limits(&aspid, Sandbox, None, limit).unwrap();
    let path = "/aspapi/v1.0/GetApiSetting";
    assert!(soon(|| !past.get(path).json()["Limits"]["PerSecond"].is_null()));
    let answer = past.stage.get(path, "accept: text/csv\r\n");
    let json = answer.json();
    let address = past.stage.address(Sandbox);
    for (name, value) in [
        ("ASPName", json!("Acme Tax Tools")),
        ("AspUserId", json!(aspid.as_str())),
        ("IsActive", json!(true)),
        ("Environment", json!("sandbox")),
        ("UrlAuth", json!("http://gateway/taxpayerapi")),
        ("UrlAspUtil", json!("http://gateway/aspapi")),
        ("AspSessionValidityMins", json!(360)),
        ("Schemes", json!(["token", "session", "password"])),
        ("AllowedIPs", json!(["127.0.0.0/8"])),
        ("Plan", json!("unmetered")),
        ("AspUtilCallsPerMinute", json!(100_000)),
        ("AspSecrets", json!([{"Until": null}])),
    ] {
        assert_eq!(json[name], value, "{name} at {address}");
    }
    assert_eq!((&json["Limits"]["PerDay"], &json["Limits"]["PerSecond"]), (&json!(5000), &json!(50)));
    assert_eq!(json["Certificates"][0]["Id"], certificate.id.as_i64());
    assert_eq!(
        (&json["Certificates"][0]["State"], &json["Certificates"][0]["NotAfter"]),
        (&json!("live"), &Value::Null)
    );
    for hidden in [secret.secret.expose(), secret.password.expose(), &past.stage.token] {
        assert!(!answer.text().contains(hidden), "a secret stands in {}", answer.text());
    }
}

#[test]
fn an_asp_reads_its_own_calls_of_a_day_in_india() {
    let past = past(|own, other| {
        let mut entries = vec![call(own, -1), call(own, 0), call(other, 1), call(own, 2)];
        entries.push(Entry { aspid: None, claimed_aspid: Some(own), ..call(own, 3) });
        entries.push(Entry {
            outcome: Outcome::Refused,
            status: Some(429),
            error_cd: Some("GSP025".to_owned()),
            origin: Some(Origin::Gsp),
            status_cd: None,
            gstn_us: None,
            units: 0,
            admitted: false,
            plan: None,
            ..call(own, 4)
        });
        entries.push(call(own, 86_400));
        entries
    });
    let answer = past.get(DAY).json();
    assert_eq!(answer["TxnDate"], "2026-11-22");
    assert_eq!(answer["Next"], Value::Null);
    let rows = answer["Txns"].as_array().unwrap();
    assert_eq!(txns(rows), ["T0", "T2", "T4"]);
    let (first, refused) = (&rows[0], &rows[2]);
    let mut expected = json!({
        "Time": "2026-11-22T00:00:00.000000+05:30", "TxnID": "T0", "GSTIN": "29DEMOS1234D1ZG",
        "UserIP": "203.0.113.7", "AppVer": null, "Method": "PUT", "Api": "taxpayerapi/returns/gstr1", "ApiAction": "RETSAVE",
        "ApiVersion": "v4.1", "HttpStatus": 200, "StatusCd": "1", "ErrCode": null, "ErrOrigin": null, "Outcome": "answered",
        "BytesIn": 1000, "BytesOut": 200, "GstnMs": 2, "TotalMs": 3, "Plan": "prepaid", "Units": 2, "Admitted": true,
    });
    expected["RequestID"] = first["RequestID"].clone();
    assert!(uuid::Uuid::parse_str(first["RequestID"].as_str().unwrap()).is_ok());
    assert_eq!(*first, expected);
    assert_eq!(
        (&refused["ErrCode"], &refused["ErrOrigin"], &refused["GstnMs"]),
        (&json!("GSP025"), &json!("gsp"), &Value::Null)
    );
    for form in ["22/11/2026", "22-11-26", "22Nov26", "2026-11-22", "22%2F11%2F2026"] {
        assert_eq!(
            past.txns(&format!("/aspapi/v1.0/apitxn/dailytxn?txndate={form}")),
            ["T0", "T2", "T4"],
            "{form}"
        );
        assert_eq!(
            past.txns(&format!("/ASPAPI/v1.1/DailyTxnLog?TxnDt={form}")),
            ["T0", "T2", "T4"],
            "{form}"
        );
    }
    assert_eq!(past.txns("/aspapi/v1.0/dailytxnlog?TxnDt=21Nov26"), ["T-1"]);
    for empty in ["01-01-1970", "01Jan17", "31-12-2099"] {
        assert_eq!(past.txns(&format!("/aspapi/v1.0/apitxn/dailytxn?TxnDate={empty}")), [""; 0], "{empty}");
    }
}

#[test]
fn csv_is_for_spreadsheets_and_runs_nothing_there() {
    let past = past(|own, _| {
        vec![Entry {
            txn: Some("=cmd|' /C calc'!A0".to_owned()),
            gstin: Some("a\"b,c".to_owned()),
            ..call(own, 0)
        }]
    });
    for (path, headers) in [(format!("{DAY}&format=CSV"), ""), (DAY.to_owned(), "accept: text/csv\r\n")] {
        let answer = past.stage.get(&path, headers);
        assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
        assert_eq!(
            answer.header("content-disposition"),
            Some("attachment; filename=\"transactions-2026-11-22.csv\"")
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let text = answer.text();
        let mut lines = text.split("\r\n");
        assert!(lines.next().unwrap().starts_with("Time,RequestID,TxnID,GSTIN,"));
        let row = lines.next().unwrap();
        assert!(row.contains(",\"'=cmd|' /C calc'!A0\",\"a\"\"b,c\",203.0.113.7,,PUT,"), "{row}");
    }
    assert!(past.stage.get(DAY, "accept: application/json, text/csv\r\n").json().is_object());
}

#[test]
fn pages_follow_one_another_until_there_is_none() {
    let past = past(|own, other| {
        (0..25).flat_map(|second| [call(own, second), call(other, second), call(other, second)]).collect()
    });
    let mut path = format!("{DAY}&PageSize=10");
    let mut seen = Vec::new();
    for page in 0.. {
        assert!(page < 10, "the pages do not end");
        let answer = past.get(&path);
        let json = answer.json();
        let rows = json["Txns"].as_array().unwrap();
        assert!(rows.len() <= 10, "{}", answer.text());
        seen.extend(txns(rows));
        let Some(next) = json["Next"].as_str() else {
            assert_eq!(answer.header("link"), None);
            break;
        };
        let link = answer.header("link").unwrap().to_owned();
        let query = link.strip_prefix("<?").and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
        assert!(query.ends_with(&format!("After={next}")), "{link}");
        assert!(query.contains("TxnDate=22-11-2026") && query.contains("PageSize=10"), "{link}");
        path = format!("/aspapi/v1.0/apitxn/dailytxn?{query}");
    }
    let expected: Vec<_> = (0..25).map(|second| format!("T{second}")).collect();
    assert_eq!(seen, expected);
}

#[test]
fn wrong_parameters_are_named_with_what_is_accepted() {
    let past = past(|_, _| Vec::new());
    let daily = "/aspapi/v1.0/apitxn/dailytxn";
    let summary = "/aspapi/v1.0/apitxn/dailysummary";
    for (path, words) in [
        (daily.to_owned(), "`TxnDate` is missing"),
        (format!("{daily}?TxnDate="), "`TxnDate` is missing"),
        (format!("{daily}?TxnDate=2026-22-11"), "dd-MM-yyyy"),
        (format!("{daily}?TxnDate=30-02-2026"), "`30-02-2026`"),
        (format!("{daily}?TxnDate=%3Cscript%3E"), "dd/MM/yyyy"),
        (format!("{daily}?TxnDt=22-11-2026"), "no parameter `TxnDt`; it takes `TxnDate`"),
        (format!("{DAY}&TxnDate=21-11-2026"), "more than once"),
        (format!("{DAY}&aspids=1"), "no parameter `aspids`"),
        (format!("{DAY}&format=xml"), "json or csv"),
        (format!("{DAY}&PageSize=0"), "1 to 1000"),
        (format!("{DAY}&PageSize=1001"), "1 to 1000"),
        (format!("{DAY}&PageSize=ten"), "1 to 1000"),
        (format!("{DAY}&After=nonsense"), "`After`"),
        (format!("{DAY}&After=%22"), "`After`"),
        (summary.to_owned(), "`FromDate` is missing"),
        (format!("{summary}?FromDate=01-11-2026"), "`ToDate` is missing"),
        (format!("{summary}?FromDate=02-11-2026&ToDate=01-11-2026"), "before"),
        (format!("{summary}?FromDate=01-01-2026&ToDate=03-04-2026"), "92 days"),
        ("/aspapi/v1.0/getapibalance?day=1".to_owned(), "no parameter `day`"),
        ("/aspapi/v1.0/getapisetting?format=csv".to_owned(), "JSON only"),
    ] {
        let answer = past.get(&path);
        answer.is_refusal("GSP676", 400);
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{path}: {message}");
        assert!(!message.contains('<'), "{message}");
    }
    let post = past.stage.exchange(past.stage.request("POST", DAY, "", ""));
    post.is_refusal("GSP621", 405);
    assert_eq!(post.header("allow"), Some("GET, HEAD"));
}

#[test]
fn a_head_is_answered_without_a_body_and_the_connection_goes_on() {
    let past = past(|own, _| calls(own, 0..2000));
    let mut asp = past.stage.connect();
    for path in [DAY, BALANCE, "/aspapi/v1/consents"] {
        let head = asp.send(past.stage.request("HEAD", path, "", "")).read_head();
        assert_eq!((head.status, head.header("content-type")), (200, Some("application/json")), "{path}");
    }
    assert_eq!(asp.send(past.stage.request("GET", DAY, "", "")).read().status, 200);
}

#[test]
fn calls_about_itself_have_a_limit_of_their_own_and_cost_nothing() {
    let past = past_with(|config| config.aspapi.calls_per_asp = 3, |_, _| Vec::new());
    for _ in 0..3 {
        assert_eq!(past.get(BALANCE).status, 200);
    }
    let fourth = past.get(DAY);
    fourth.is_refusal("GSP025", 429);
    assert_eq!(fourth.header("retry-after"), Some("20"));
    assert_eq!(past.get("/taxpayerapi/v1.0/returns").status, 200);
    past.clock.advance(20_000);
    let rows = past.list(DAY, "Txns");
    let own: Vec<_> = rows.iter().filter(|row| row["Api"].as_str().unwrap().starts_with("aspapi/")).collect();
    assert_eq!(own.len(), 4, "each is recorded: {rows:#?}");
    for row in own {
        assert_eq!((&row["Units"], &row["Admitted"], &row["Plan"]), (&json!(0), &json!(false), &Value::Null));
    }
}

/// Calls of all kinds, on three days.
fn three_days(own: AspId, other: AspId) -> Vec<Entry> {
    const DAY_LONG: i64 = 86_400;
    let error = |origin: &str| Origin::from_name(origin);
    let (search, unnamed) = ("commonapi/search".to_owned(), None);
    vec![
        call(own, -1),
        call(own, 0),
        Entry { origin: error("gstn"), ..call(own, 1) },
        Entry { origin: error("gsp"), units: 0, admitted: false, plan: None, ..call(own, 2) },
        call(other, 3),
        Entry { api: Some(search), gstin: None, units: 1, ..call(own, 4) },
        Entry { api: unnamed, gstin: None, units: 0, origin: error("asp"), admitted: false, ..call(own, 5) },
        Entry { gstin: Some("33AANCS2882A1ZG".to_owned()), origin: error("network"), ..call(own, DAY_LONG) },
        call(own, 2 * DAY_LONG),
    ]
}

/// The rows without those of the calls that asked for them.
fn summary(answer: &Value) -> Vec<Value> {
    let mut rows = answer["Summary"].as_array().unwrap().clone();
    rows.retain(|row| !row["Api"].as_str().is_some_and(|api| api.starts_with("aspapi/")));
    rows
}

#[test]
fn a_summary_is_by_day_gstin_and_api() {
    let past = past(three_days);
    let path = "/aspapi/v1.0/apitxn/dailysummary?FromDate=21-11-2026&ToDate=23-11-2026";
    let answer = past.get(path).json();
    assert_eq!((&answer["FromDate"], &answer["ToDate"]), (&json!("2026-11-21"), &json!("2026-11-23")));
    let row = |day: &str, gstin: Value, api: Value, numbers: [u64; 7]| {
        let [calls, admitted, units, asp, gsp, gstn, network] = numbers;
        json!({
            "Day": day, "GSTIN": gstin, "Api": api, "Calls": calls, "Admitted": admitted, "Units": units,
            "AspErrors": asp, "GspErrors": gsp, "GstnErrors": gstn, "NetworkErrors": network,
        })
    };
    let (gstin, api) = (json!("29DEMOS1234D1ZG"), json!("taxpayerapi/returns/gstr1"));
    let expected = [
        row("2026-11-21", gstin.clone(), api.clone(), [1, 1, 2, 0, 0, 0, 0]),
        row("2026-11-22", Value::Null, Value::Null, [1, 0, 0, 1, 0, 0, 0]),
        row("2026-11-22", Value::Null, json!("commonapi/search"), [1, 1, 1, 0, 0, 0, 0]),
        row("2026-11-22", gstin, api.clone(), [3, 2, 4, 0, 1, 1, 0]),
        row("2026-11-23", json!("33AANCS2882A1ZG"), api, [1, 1, 2, 0, 0, 0, 1]),
    ];
    assert_eq!(summary(&answer), expected);

    let (mut paged, mut query) = (Vec::new(), "&PageSize=1".to_owned());
    for page in 0.. {
        assert!(page < 100, "the pages do not end");
        let page = past.get(&format!("{path}{query}")).json();
        assert_eq!(page["Summary"].as_array().unwrap().len(), 1);
        paged.extend(summary(&page));
        let Some(next) = page["Next"].as_str() else { break };
        query = format!("&PageSize=1&After={next}");
    }
    assert_eq!(paged, expected);

    let csv = past.get(&format!("{path}&format=csv")).text();
    assert!(
        csv.contains("\r\n2026-11-23,33AANCS2882A1ZG,taxpayerapi/returns/gstr1,1,1,2,0,0,0,1\r\n"),
        "{csv}"
    );
    let none = "/aspapi/v1.1/apitxn/DailySummary?fromdate=01Jan17&todate=02Apr17";
    assert_eq!(past.list(none, "Summary"), [Value::Null; 0]);
}

#[test]
fn consents_say_since_when_and_until_when() {
    let now: Timestamp = NOW.parse().unwrap();
    let past = past(|own, other| {
        let change = |aspid, seconds, consent| Entry { consent: Some(consent), ..call(aspid, seconds) };
        let text = str::to_owned;
        let granted = |aspid, seconds, gstin: &str, username: &str, minutes| {
            let lapses_at = Some(now + SignedDuration::from_mins(minutes));
            let consent = ConsentChange::Granted { gstin: text(gstin), username: text(username), lapses_at };
            change(aspid, seconds, consent)
        };
        let (first, second) = ("29DEMOS1234D1ZG", "33AANCS2882A1ZG");
        let lapses_at = Some(now + SignedDuration::from_mins(60));
        vec![
            granted(own, 0, second, "later", -1),
            granted(own, 1, first, "asha", 10),
            change(
                own,
                2,
                ConsentChange::Refreshed { gstin: text(first), username: text("asha"), lapses_at },
            ),
            granted(own, 3, first, "=ravi", 10),
            change(own, 4, ConsentChange::Ended { gstin: text(first), username: text("=ravi") }),
            granted(other, 5, first, "theirs", 10),
        ]
    });
    let path = "/aspapi/v1/consents";
    let all = past.list(path, "consents");
    let brief = |rows: &[Value]| -> Vec<_> {
        rows.iter()
            .map(|row| format!("{} {}", row["username"].as_str().unwrap(), row["state"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(brief(&all), ["=ravi ended", "asha live", "later lapsed"]);
    assert_eq!(
        all[1],
        json!({
            "gstin": "29DEMOS1234D1ZG", "username": "asha", "state": "live", "granted_at": "2026-11-22T00:00:01+05:30",
            "refreshed_at": "2026-11-22T00:00:02+05:30", "lapses_at": "2026-11-22T11:15:30+05:30", "ended_at": null,
        })
    );
    assert_eq!(brief(&past.list(&format!("{path}?GSTIN=33aancs2882a1zg"), "consents")), ["later lapsed"]);
    assert_eq!(past.list(&format!("{path}?gstin=33"), "consents"), [Value::Null; 0]);
    assert_eq!(past.list("/aspapi/v1.0/Consents", "consents"), all);
    let first = past.get(&format!("{path}?PageSize=2")).json();
    assert_eq!(brief(first["consents"].as_array().unwrap()), ["=ravi ended", "asha live"]);
    let after = first["Next"].as_str().unwrap();
    let rest = past.get(&format!("{path}?PageSize=2&After={after}")).json();
    assert_eq!(brief(rest["consents"].as_array().unwrap()), ["later lapsed"]);
    assert_eq!(rest["Next"], Value::Null);
    let csv = past.get(&format!("{path}?format=csv")).text();
    assert!(csv.starts_with("gstin,username,state,granted_at,refreshed_at,lapses_at,ended_at\r\n"), "{csv}");
    assert!(csv.contains("29DEMOS1234D1ZG,\"'=ravi\",ended,2026-11-22T00:00:03+05:30,,"), "{csv}");
}

/// So many calls that their list is longer than what the kernel, hyper and a page hold together.
const MANY: i64 = 100_000;
const HELD: u64 = 12 * 1024 * 1024;

#[test]
fn a_long_list_is_read_as_it_is_taken_and_holds_nobody_up() {
    let past = past(|own, other| {
        let mut entries: Vec<_> = (0..MANY).map(|number| call(own, number / 2)).collect();
        entries.push(call(other, 0));
        entries
    });
    let listing = past.stage.request("GET", DAY, "txn: SLOW-LIST\r\n", "");
    let mut slow: Vec<_> = (0..4).map(|_| past.stage.connect()).collect();
    for asp in &mut slow {
        asp.send(&listing).starts_to_answer();
    }
    let fifth = past.get(DAY);
    fifth.is_refusal("GSP025", 429);
    assert_eq!(fifth.header("retry-after"), Some("2"));
    let mut patient = slow.pop().unwrap();
    let answer = patient.read();
    let rows = txns(answer.json()["Txns"].as_array().unwrap());
    assert_eq!(rows.len() as i64, MANY);
    assert!(rows.iter().zip(0..).all(|(row, number)| *row == format!("T{}", number / 2)));
    assert!(answer.body.len() as u64 > 2 * HELD, "{} bytes are not a long list", answer.body.len());

    // The others hang up, and their places are free again.
    drop(slow);
    assert!(soon(|| log::settled("txn", "SLOW-LIST").len() == 4));
    let given = |outcome: &str| -> Vec<u64> {
        let settled = log::settled("txn", "SLOW-LIST");
        let ended = settled.iter().filter(|line| line["outcome"] == outcome);
        ended.map(|line| line["bytes_out"].as_u64().unwrap()).collect()
    };
    assert_eq!(given("answered"), [answer.body.len() as u64]);
    let abandoned = given("abandoned");
    assert!(abandoned.len() == 3 && abandoned.iter().all(|bytes| *bytes < HELD), "{abandoned:?}");
    assert!(soon(|| past.get(&format!("{DAY}&PageSize=1")).status == 200));
}

#[test]
fn without_a_ledger_there_is_no_log_to_read() {
    let stage = stage::set(StandIn::content().address).with(|config| config.ledger = None).start();
    for path in [DAY, "/aspapi/v1/consents"] {
        let answer = stage.get(path, "");
        answer.is_refusal("GSP640", 503);
        assert!(answer.text().contains("ledger"), "{}", answer.text());
    }
}
