//! The whole catalogue of GSTN's APIs against the sandbox: each is answered, or refused by name and documented as refused.

use std::collections::BTreeSet;

use gstn::catalogue::{self, Api, Family, Method};
use serde_json::json;

use crate::taxpayer::{Session, with_client};
use crate::world::World;

const DOCUMENT: &str = include_str!("../../../../docs/gstn-divergences.md");

/// What the document says is not simulated: rows of its last table, `| path … | action … or all | why |`.
fn documented() -> BTreeSet<(String, String)> {
    let (_, section) =
        DOCUMENT.split_once("\n## Not simulated\n").expect("the section on what is not simulated");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let mut refused = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [paths, actions, why] = cells.as_slice() else { panic!("{row}") };
        assert!(!why.is_empty(), "{row}");
        for path in paths.split_whitespace() {
            for action in actions.split_whitespace() {
                let name = (path.trim_matches('`').to_owned(), action.trim_matches('`').to_owned());
                assert!(refused.insert(name), "told twice: {row}");
            }
        }
    }
    refused
}

/// What the sandbox says to a call of `api` at `path`: the code, or nothing when it is no error.
fn said(world: &World, session: &Session, api: &Api, path: &str) -> String {
    let path: Vec<&str> =
        path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
    let (family, path) = (api.family, path.join("/"));
    if family == Family::Files {
        let answer = world.gstn(&with_client(crate::http::Request::new("GET", format!("/{family}/{path}"))));
        assert_eq!((answer.status, answer.body.len()), (404, 0), "there is a host of files");
        return String::new();
    }
    let action = api.action.map(|action| format!("action={action}&")).unwrap_or_default();
    let version = api.versions.first().unwrap_or(&"v1.0");
    let gstin = &session.gstin;
    let url = format!("/{family}/{version}/{path}?{action}gstin={gstin}&ret_period=032025&fy=2024-25");
    let answer = match api.method {
        Method::Get => world.gstn(&session.call("GET", &url)),
        method => {
            let body = session.sealed(api.action.unwrap_or_default(), &json!({}).to_string());
            world.gstn(&session.call(method.as_str(), &url).json(&body))
        }
    };
    answer.error_cd()
}

#[test]
fn every_api_is_answered_or_documented_as_refused() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({}));
    let documented = documented();
    let mut refused = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut session = taxpayer.login(&world);
    for api in catalogue::apis() {
        for path in api.paths() {
            if api.path == "authenticate" {
                // The call before may have ended the session.
                session = taxpayer.login(&world);
            }
            let name = format!("{}/{path}", api.family);
            let action = api.action.unwrap_or("-").to_owned();
            let covered = [&action, "all"]
                .into_iter()
                .find(|action| documented.contains(&(name.clone(), (*action).to_owned())));
            match (said(&world, &session, api, path).as_str(), covered) {
                ("SBX501", Some(covered)) => drop(refused.insert((name, covered.to_owned()))),
                ("SBX501", None) => wrong.push(format!("{name} {action} is refused, and not documented")),
                ("SBX404" | "RET11403" | "TEC4001", _) => {
                    wrong.push(format!("{name} {action} is in the catalogue, and not known"));
                }
                (_, Some(_)) if action == "RETSTATUS" => {}
                (_, Some(_)) => wrong.push(format!("{name} {action} is documented as refused, and answered")),
                (_, None) => {}
            }
        }
    }
    wrong.extend(documented.difference(&refused).map(|(path, action)| {
        format!("{path} {action} is documented as refused, and nothing is refused there")
    }));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
