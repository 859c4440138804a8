//! What a right call becomes at GSTN, and what the ASP gets back.

use std::io::{BufReader, Write};
use std::net::Shutdown;
use std::sync::{Mutex, mpsc};

use suvidha_store::NewToken;

use crate::asp::Asp;
use crate::stage::{self, CLIENT_ID, CLIENT_SECRET, Production, stage};
use crate::stand_in::{Act, StandIn, answer, ok, read_request};

#[test]
fn the_sample_request_of_the_cleartax_seed_works_as_printed() {
    let gstn = StandIn::content();
    let setting = stage::set(gstn.address);
    let url = format!("http://{}", gstn.address);
    let stage = setting.with(|config| config.environments[1].upstream = Some(stage::at(&url))).start();
    let token = "a2ceb341-asf12-1234-a54f-59d934acasaa";
    stage.registry.import_token(&stage.aspid, Production, token, NewToken::default()).unwrap();
    let app_key =
        "48Kw7zR3L9nsbBJI3BJBmg8K0cx/XoGzR6uJaksufhaksfochguhJk1DTvvHYQqQwaU0yhOqfZHgalD9sGMikaEBmY7Y1Ycj";
    let body = format!(r#"{{"action":"OTPREQUEST","app_key":"{app_key}","username":"yourusername"}}"#);
    let request = format!(
        "POST /api/taxpayerapi/v0.2/authenticate HTTP/1.1\r\nHost: gsp.cleartax.in\r\nUser-Agent: curl/7.88.1\r\n\
         Accept: */*\r\nContent-Type: application/json\r\nappkey: {app_key}\r\nX-CT-Auth-Token: {token}\r\n\
         state-cd: 33\r\nip-usr: 123.456.789.100\r\ntxn: txn123\r\ngstin: gstinNumber\r\nusername: username\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let works = || {
        let answer = Asp::connect(stage.address(Production)).send(&request).read();
        answer.status == 200 && answer.json()["status_cd"] == "1"
    };
    assert!(stage::soon(works));
    let seen = gstn.only();
    assert_eq!(seen.line, "POST /taxpayerapi/v0.2/authenticate HTTP/1.1");
    assert_eq!(seen.body, body.as_bytes());
    for (name, value) in [
        ("content-type", "application/json"),
        ("appkey", app_key),
        ("state-cd", "33"),
        ("ip-usr", "123.456.789.100"),
        ("txn", "txn123"),
        ("gstin", "gstinNumber"),
        ("username", "username"),
        ("clientid", CLIENT_ID),
        ("client-secret", CLIENT_SECRET),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
}

#[test]
fn gstn_gets_the_headers_of_the_list_and_no_others() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let listed = "accept: application/json\r\ncontent-type: application/json\r\nstate-cd: 29\r\nip-usr: 10.1.1.1\r\n\
        txn: T1\r\nusername: u\r\nauth-token: taxpayers\r\ngstin: 29AAACG0527D1Z2\r\nret_period: 072025\r\n\
        rtn_typ: GSTR1\r\nuserrole: GSTR1\r\napi_version: 4.1\r\naction: RETSAVE\r\n";
    let unlisted = "cookie: a=b\r\nreferer: x\r\nvia: 1.1 p\r\nx-forwarded-for: 1.2.3.4\r\nx-custom: x\r\naspid: 1\r\n\
        expect: 100-continue\r\naccept-encoding: gzip\r\nconnection: keep-alive, x-hop\r\nx-hop: x\r\n\
        clientid: old\r\nclient-secret: old-secret\r\nkarvyclientid: k\r\nkarvyclient_secret: ks\r\n";
    let headers = format!("authorization: Bearer {}\r\n{listed}{unlisted}", stage.token);
    let body = r#"{"action":"RETSAVE"}"#;
    let answer = stage.exchange(stage::request("PUT", "/taxpayerapi/v4.1/returns/gstr1", &headers, body));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut got: Vec<_> =
        gstn.only().headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let mut expected: Vec<_> = listed.lines().map(str::to_owned).collect();
    expected.extend([
        format!("host: {}", gstn.address),
        format!("user-agent: suvidha/{}", env!("CARGO_PKG_VERSION")),
        format!("clientid: {CLIENT_ID}"),
        format!("client-secret: {CLIENT_SECRET}"),
        format!("content-length: {}", body.len()),
    ]);
    got.sort();
    expected.sort();
    assert_eq!(got, expected);
}

#[test]
fn paths_of_both_seeds_lead_to_gstn() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    for (path, at_gstn) in [
        ("/api/taxpayerapi/v1.0/returns", "/taxpayerapi/v1.0/returns"),
        ("/gsp/api/taxpayerapi/v1.0/returns", "/taxpayerapi/v1.0/returns"),
        (
            "/taxpayerapi/v0.3/returns/gstr1?action=B2B&gstin=%2033",
            "/taxpayerapi/v0.3/returns/gstr1?action=B2B&gstin=%2033",
        ),
        ("//taxpayerapi//v0.3/returns/gstr1", "/taxpayerapi/v0.3/returns/gstr1"),
        ("/TaxPayerAPI/v9.9/Returns/GSTR1/", "/taxpayerapi/v9.9/Returns/GSTR1/"),
        ("/commonapi/v1.1/search?Action=TP&Gstin=x", "/commonapi/v1.1/search?Action=TP&Gstin=x"),
        ("/taxpayerapi/v1.0/returns/brand-new", "/taxpayerapi/v1.0/returns/brand-new"),
        ("/taxpayerapi/v2.0/returns/ledgers?", "/taxpayerapi/v2.0/returns/ledgers?"),
        ("/taxpayerapi/v0.3/ledgers", "/taxpayerapi/v0.3/ledgers"),
        (
            "/taxpayerapi/v0.2/returns/gstr1?action=RETSTATUS",
            "/taxpayerapi/v0.2/returns/gstr1?action=RETSTATUS",
        ),
        (
            "/returns/01072025/R1/ab/r_b2b_0.tar.gz?md5=a_b&expires=1",
            "/returns/01072025/R1/ab/r_b2b_0.tar.gz?md5=a_b&expires=1",
        ),
        ("/eivital/v1.04/auth", "/eivital/v1.04/auth"),
    ] {
        let method = if path.contains("eivital") { "POST" } else { "GET" };
        let answer = stage.exchange(stage.request(method, path, "", ""));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let line = gstn.seen().pop().unwrap().line;
        assert_eq!(line, format!("{method} {at_gstn} HTTP/1.1"));
    }
}

#[test]
fn the_host_of_a_request_chooses_nothing() {
    let (gstn, elsewhere) = (StandIn::content(), StandIn::content());
    let stage = stage(gstn.address);
    let headers = format!(
        "host: {0}\r\nx-ct-auth-token: {1}\r\nx-forwarded-host: {0}\r\n",
        elsewhere.address, stage.token
    );
    let answer = stage.exchange(format!("GET /taxpayerapi/v1.0/returns HTTP/1.1\r\n{headers}\r\n"));
    assert_eq!(answer.status, 200);
    assert_eq!(gstn.only().header("host"), Some(gstn.address.to_string().as_str()));
    assert!(elsewhere.seen().is_empty());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, one row for each oddity of gstn.md section 10")]
fn clients_of_the_field_are_lived_with() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let token = format!("x-ct-auth-token: {}\r\n", stage.token);
    let chunked = "transfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\n\
        7\r\n{\"actio\r\n17;ext=1\r\nn\":\"AUTHTOKEN\",\"otp\":1}\r\n0\r\ntrailer: x\r\n\r\n";
    for (what, request, body) in [
        (
            "a chunked body",
            format!("POST /taxpayerapi/v1.0/authenticate HTTP/1.1\r\nhost: g\r\n{token}{chunked}"),
            r#"{"action":"AUTHTOKEN","otp":1}"#,
        ),
        (
            "a GET with Content-Length: 0",
            format!(
                "GET /taxpayerapi/v1.0/returns HTTP/1.1\r\nhost: g\r\n{token}content-length: 0\r\ncontent-type: application/json\r\n\r\n"
            ),
            "",
        ),
        (
            "an action left over in the query",
            stage.request(
                "PUT",
                "/taxpayerapi/v2.0/returns/gstr1?action=B2B",
                "",
                "{\"action\":\"RETSAVE\"}",
            ),
            "{\"action\":\"RETSAVE\"}",
        ),
        (
            "POST where documents say PUT",
            stage.request("POST", "/taxpayerapi/v2.0/returns/gstr1", "", "{}"),
            "{}",
        ),
        (
            "an action left over from a login",
            stage.request(
                "POST",
                "/taxpayerapi/v1.0/authenticate?action=LOGOUT&action=EVCOTP",
                "action: RETSAVE\r\n",
                "{\"action\":\"LOGOUT\"}",
            ),
            "{\"action\":\"LOGOUT\"}",
        ),
        (
            "an action in the query only",
            stage.request("POST", "/taxpayerapi/v2.0/returns/gstr1?action=RETSUBMIT", "", "{\"data\":\"\"}"),
            "{\"data\":\"\"}",
        ),
        (
            "JSON of every style",
            stage.request(
                "PUT",
                "/taxpayerapi/v2.0/returns/gstr1",
                "",
                "{\r\n  \"hdr\": null,\n\t\"otp\": \"a-b_\",\"data\": \"a\\u002Bb\\/c\", \"n\": 1.0}\n",
            ),
            "{\r\n  \"hdr\": null,\n\t\"otp\": \"a-b_\",\"data\": \"a\\u002Bb\\/c\", \"n\": 1.0}\n",
        ),
        (
            "a chunked save",
            format!(
                "PUT /taxpayerapi/v2.0/returns/gstr1 HTTP/1.1\r\nhost: g\r\n{token}\
                 Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
            ),
            "{}",
        ),
        (
            "a public search with nothing but its query",
            stage.request("GET", "/commonapi/v1.1/search?action=TP&gstin=29AAACG0527D1Z2", "", ""),
            "",
        ),
        ("no body and no length", stage.request("POST", "/taxpayerapi/v2.0/returns/gstr1", "", ""), ""),
        (
            "login without a gstin",
            stage.request(
                "POST",
                "/taxpayerapi/v1.0/authenticate",
                "state-cd: 29\r\nip-usr: 1.1.1.1\r\ntxn: t\r\n",
                "{}",
            ),
            "{}",
        ),
        (
            "ACCESSTOKEN with nothing else",
            stage.request("POST", "/commonapi/v0.2/authenticate", "", "{}"),
            "{}",
        ),
        ("HTTP/1.0", format!("GET /commonapi/v1.0/returns HTTP/1.0\r\n{token}\r\n"), ""),
        (
            "an offer of HTTP/2 over plain TCP",
            stage.request(
                "GET",
                "/commonapi/v1.0/returns",
                "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n",
                "",
            ),
            "",
        ),
        (
            "an absolute request target",
            format!("GET http://g/commonapi/v1.0/returns HTTP/1.1\r\nhost: g\r\n{token}\r\n"),
            "",
        ),
        (
            "bare line feeds",
            format!("GET /commonapi/v1.0/returns HTTP/1.1\nhost: g\n{}\n", token.replace("\r\n", "\n")),
            "",
        ),
    ] {
        let answer = stage.exchange(request);
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        let seen = gstn.seen().pop().unwrap();
        assert_eq!(String::from_utf8_lossy(&seen.body), body, "{what}");
    }
    for _ in 0..2 {
        assert_eq!(
            stage.get("/taxpayerapi/v1.0/returns", "txn: CONSTANT\r\n").status,
            200,
            "a repeated txn is no replay"
        );
    }
}

#[test]
fn a_request_without_a_body_says_so_where_a_body_is_usual() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    for (method, headers, length) in [
        ("POST", "content-length: 0\r\n", Some("0")),
        ("PUT", "", Some("0")),
        ("GET", "content-length: 0\r\n", None),
    ] {
        let call = stage.request(method, "/taxpayerapi/v1.0/returns/gstr1", headers, "");
        assert_eq!(stage.exchange(call).status, 200);
        let seen = gstn.seen().pop().unwrap();
        assert_eq!(seen.header("content-length"), length, "{method}");
        assert_eq!(seen.header("transfer-encoding"), None, "{method}");
    }
}

#[test]
fn ret_prd_is_passed_on_as_ret_period_too() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    assert_eq!(stage.get("/taxpayerapi/v1.0/returns", "ret_prd: 072025 \r\n").status, 200);
    assert_eq!(gstn.only().header("ret_period"), Some("072025"));
    assert_eq!(gstn.only().header("ret_prd"), Some("072025"));
}

#[test]
fn a_desktop_program_gets_its_own_address_put_in() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    for (sent, passed) in
        [("DESKTOPAPP", "127.0.0.1"), ("desktopapp", "127.0.0.1"), ("2001:db8::1", "2001:db8::1")]
    {
        assert_eq!(stage.get("/taxpayerapi/v1.0/returns", &format!("ip-usr: {sent}\r\n")).status, 200);
        assert_eq!(gstn.seen().pop().unwrap().header("ip-usr"), Some(passed));
    }
    assert_eq!(stage.get("/taxpayerapi/v1.0/returns", "").status, 200);
    assert_eq!(gstn.seen().pop().unwrap().header("ip-usr"), None);
}

#[test]
fn bodies_pass_byte_for_byte() {
    let every_byte: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let echoed = every_byte.clone();
    let gstn = StandIn::new(move |_| {
        let mut reply =
            format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n", echoed.len()).into_bytes();
        reply.extend_from_slice(&echoed);
        Act::Answer(reply)
    });
    let stage = stage(gstn.address);
    let mut request =
        stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "content-length: 5000\r\n", "").into_bytes();
    request.extend_from_slice(&every_byte);
    let answer = stage.exchange(request);
    assert_eq!((answer.status, &answer.body), (201, &every_byte));
    assert_eq!(gstn.only().body, every_byte);
}

#[test]
fn an_answer_tells_nothing_of_gstns_servers() {
    let gstn = StandIn::new(|seen| {
        let host = seen.header("host").unwrap().split(':').next().unwrap().to_owned();
        let headers = format!(
            "content-type: text/plain\r\nserver: gstn-apache\r\nvia: 1.1 inner\r\nx-powered-by: Servlet\r\n\
             set-cookie: TS01=1\r\nx-served-by: node7.{host}\r\nconnection: keep-alive, x-inner\r\nx-inner: 1\r\n\
             keep-alive: timeout=5\r\nx-request-id: theirs\r\nx-suvidha-sandbox: 1\r\netag: \"e\"\r\n"
        );
        Act::Answer(answer("200 OK", &headers, "fine"))
    });
    let stage = stage(gstn.address);
    let answer = stage.get("/taxpayerapi/v1.0/returns", "");
    assert_eq!((answer.status, answer.text().as_str()), (200, "fine"));
    let mut names: Vec<_> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["content-length", "content-type", "date", "etag", "x-request-id", "x-suvidha-sandbox"]
    );
    assert!(uuid::Uuid::parse_str(answer.header("x-request-id").unwrap()).is_ok());
}

#[test]
fn gstns_own_errors_pass_unchanged_and_explained() {
    let known = r#"{ "status_cd" : "0", "error":{"message":"Invalid Client ID","error_cd":"AUT4033"} }"#;
    let unknown = r#"{"status_cd":"0","error":{"error_cd":"NEW0001","message":"?"}}"#;
    let gstn = StandIn::new(move |seen| {
        Act::Answer(match seen.line.split(' ').nth(1).unwrap() {
            "/taxpayerapi/v1/known" => answer("403 Forbidden", "content-type: application/json\r\n", known),
            "/taxpayerapi/v1/at-200" => ok(known),
            "/taxpayerapi/v1/chunked" => format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{known}\r\n0\r\n\r\n",
                known.len()
            )
            .into_bytes(),
            "/taxpayerapi/v1/unknown" => ok(unknown),
            _ => answer("500 Internal Server Error", "content-type: text/html\r\n", "<h1>down</h1>"),
        })
    });
    let stage = stage(gstn.address);
    let link = Some("</errors/AUT4033>; rel=\"help\"");
    for (path, status, body, link) in [
        ("known", 403, known, link),
        ("at-200", 200, known, link),
        ("chunked", 200, known, link),
        ("unknown", 200, unknown, None),
        ("page", 500, "<h1>down</h1>", None),
    ] {
        let answer = stage.get(&format!("/taxpayerapi/v1/{path}"), "");
        assert_eq!((answer.status, answer.text().as_str()), (status, body));
        assert_eq!(answer.header("x-gsp-error-origin"), Some("gstn"), "{path}");
        assert_eq!(answer.header("link"), link, "{path}");
    }
    let fine = StandIn::content();
    let answer = crate::stage::stage(fine.address).get("/taxpayerapi/v1.0/returns", "");
    assert_eq!((answer.header("x-gsp-error-origin"), answer.header("link")), (None, None));
}

#[test]
fn a_redirect_is_passed_on_and_not_followed() {
    let elsewhere = StandIn::content();
    let target = elsewhere.address;
    let gstn = StandIn::new(move |_| {
        Act::Answer(answer("302 Found", &format!("location: http://{target}/\r\n"), ""))
    });
    let stage = stage(gstn.address);
    let answer = stage.get("/taxpayerapi/v1.0/returns", "");
    assert_eq!(answer.status, 302);
    assert_eq!(answer.header("location"), None, "the stand-ins share a host, which must not leak");
    assert_eq!((gstn.seen().len(), elsewhere.seen().len()), (1, 0));
}

#[test]
fn a_head_request_gets_the_head_only() {
    let gstn = StandIn::new(|_| Act::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n".to_vec()));
    let stage = stage(gstn.address);
    let mut asp = stage.connect();
    for _ in 0..2 {
        let answer = asp.send(stage.request("HEAD", "/commonapi/v1.1/search", "", "")).read_head();
        assert_eq!((answer.status, answer.header("content-length")), (200, Some("1234")));
    }
}

#[test]
fn calls_share_connections_to_gstn() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let mut asp = stage.connect();
    let call = stage.request("GET", "/taxpayerapi/v1.0/returns", "", "");
    for _ in 0..3 {
        assert_eq!(asp.send(&call).read().status, 200);
    }
    let connections: Vec<_> = gstn.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0, 0]);
}

#[test]
fn a_connection_that_gstn_closed_meanwhile_harms_no_call() {
    let (closed, wait) = mpsc::channel();
    let closed = Mutex::new(closed);
    let gstn = StandIn::raw(move |connection, mut stream| {
        read_request(&mut BufReader::new(stream.try_clone().unwrap()), connection).unwrap();
        stream.write_all(&ok("{}")).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        closed.lock().unwrap().send(()).unwrap();
    });
    let stage = stage(gstn);
    let mut asp = stage.connect();
    let call = stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "", "{}");
    for _ in 0..5 {
        assert_eq!(asp.send(&call).read().status, 200);
        wait.recv().unwrap();
    }
}

#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let gstn = StandIn::new(|seen| Act::Answer(ok(&format!("{:?}", seen.line))));
    let stage = stage(gstn.address);
    let mut asp = stage.connect();
    let put = stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "", "{}");
    let get = stage.request("GET", "/taxpayerapi/v1.0/returns", "", "");
    asp.send(format!("{put}{get}{put}{get}"));
    for method in ["PUT", "GET", "PUT", "GET"] {
        assert!(asp.read().text().contains(method));
    }
}
