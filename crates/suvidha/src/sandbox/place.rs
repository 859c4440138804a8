//! Which sandbox a command manages, and with which token.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use gstn::SecretString;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::{Http, NoAnswer};
use super::read_line;
use crate::exit::{Exit, Failure};
use crate::registry::DEFAULT_DATA_DIR;

/// Where `suvidha sandbox` keeps its data unless told otherwise.
pub(crate) const SANDBOX_DATA_DIR: &str = "suvidha-sandbox";
/// What a server writes into its data directory while it is up.
pub(crate) const READY_FILE: &str = "ready.json";
const TOKEN_FILE: &str = "management-token";

/// Which sandbox. The names that `suvidha sandbox` itself has for options of its own are given ids of their own: clap would
/// take one for the other.
#[derive(Debug, Args)]
pub(crate) struct ManagementOptions {
    /// The running sandbox that keeps its data in this directory, of `suvidha up` or of `suvidha sandbox`. When left out:
    /// suvidha-data, else suvidha-sandbox
    #[arg(
        id = "managed_data",
        long = "data",
        global = true,
        value_name = "DIR",
        env = "SUVIDHA_DATA",
        hide_env_values = true,
        help_heading = "Sandbox"
    )]
    data: Option<PathBuf>,
    /// The sandbox that this ready file tells of; goes before --data
    #[arg(
        id = "managed_ready_file",
        long = "ready-file",
        global = true,
        value_name = "FILE",
        help_heading = "Sandbox"
    )]
    ready_file: Option<PathBuf>,
    /// The sandbox whose management listens here, e.g. http://127.0.0.1:7791; goes before both
    #[arg(long, global = true, value_name = "URL", help_heading = "Sandbox")]
    url: Option<String>,
    /// File with the management token, for --url
    #[arg(long, global = true, value_name = "FILE", requires = "url", help_heading = "Sandbox")]
    token_file: Option<PathBuf>,
}

/// What of a ready file is of use here, of either command.
#[derive(Debug, Deserialize)]
pub(crate) struct Ready {
    pub(crate) gstn: String,
    gstn_management: String,
    gstn_management_token_file: Option<PathBuf>,
    pub(crate) gstn_certificate: PathBuf,
    /// Of `suvidha sandbox`.
    pub(crate) client_id: Option<String>,
    /// Of `suvidha sandbox`.
    pub(crate) client_secret_file: Option<PathBuf>,
    /// Of `suvidha up`: the gateway.
    pub(crate) environments: Option<ReadyEnvironments>,
    /// Of `suvidha up`: the demo ASP.
    pub(crate) asp: Option<ReadyAsp>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ReadyEnvironments {
    pub(crate) sandbox: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ReadyAsp {
    pub(crate) token: SecretString,
}

impl ManagementOptions {
    /// What the server wrote when it was up.
    pub(crate) fn ready(&self) -> Result<Ready, Failure> {
        let file = match (&self.ready_file, &self.data) {
            (Some(file), _) => file.clone(),
            (None, Some(data)) => data.join(READY_FILE),
            (None, None) => {
                let files = [DEFAULT_DATA_DIR, SANDBOX_DATA_DIR].map(|data| Path::new(data).join(READY_FILE));
                let found = files.iter().find(|file| file.exists()).unwrap_or(&files[0]);
                found.clone()
            }
        };
        let text = fs::read(&file).map_err(|e| {
            Failure::io(Exit::Unavailable, format_args!("cannot read {}", file.display()), &e)
                .remedy("start `suvidha up` or `suvidha sandbox`, or name its data directory with --data")
        })?;
        serde_json::from_slice(&text).map_err(|_| {
            Failure::new(Exit::Data, format_args!("{} is no ready file of a sandbox", file.display()))
        })
    }

    /// The management of the sandbox that the options name.
    pub(crate) fn management(&self) -> Result<Management, Failure> {
        let (url, file) = match &self.url {
            Some(url) => {
                let kept = self.data.as_ref().map(|data| data.join(TOKEN_FILE));
                (url.trim_end_matches('/').to_owned(), self.token_file.clone().or(kept))
            }
            None => self.ready()?.management(),
        };
        Management::at(url, file.as_deref())
    }
}

impl Ready {
    /// The address of the management, and the file with its token.
    pub(crate) fn management(&self) -> (String, Option<PathBuf>) {
        (self.gstn_management.clone(), self.gstn_management_token_file.clone())
    }
}

/// The management port of a sandbox.
pub(crate) struct Management {
    http: Http,
    url: String,
    token: Option<SecretString>,
}

impl Management {
    pub(crate) fn at(url: String, token_file: Option<&Path>) -> Result<Self, Failure> {
        let token = token_file.map(read_line).transpose()?.map(SecretString::from);
        Ok(Self { http: Http::new()?, url, token })
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(&Method::GET, path, None)
    }

    /// One call; what the sandbox refuses is a failure in its words.
    pub(crate) fn call(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (status, answer) = self.answer(method, path, body)?;
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let words = answer["error"]["message"].as_str().unwrap_or("it did not say why");
        let failure = match status {
            401 => Failure::new(Exit::Permission, words)
                .remedy("name the data directory with --data, or the file with the token with --token-file"),
            500.. => Failure::new(Exit::TryLater, words),
            _ => Failure::new(Exit::Refused, words),
        };
        Err(failure.details(json!({ "http_status": status })))
    }

    /// One call: the status and the JSON of the answer, whatever they are.
    pub(crate) fn answer(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), Failure> {
        let token = self.token.as_ref();
        let headers: Vec<_> = token
            .map(|token| ("authorization".to_owned(), format!("Bearer {}", token.expose())))
            .into_iter()
            .collect();
        let body = body.map(|body| body.to_string().into_bytes());
        let answer = self.http.send(&self.url, method, path, &headers, body).map_err(|why| match why {
            NoAnswer::Unreachable(why) => Failure::new(
                Exit::Unavailable,
                format_args!("the sandbox's management cannot be reached: {why}"),
            )
            .remedy("start `suvidha up` or `suvidha sandbox`, or name it with --url"),
            NoAnswer::BrokenOff(why) => {
                Failure::new(Exit::Unavailable, format_args!("{} gave no whole answer: {why}", self.url))
            }
        })?;
        let json = serde_json::from_slice(&answer.body).map_err(|_| {
            Failure::new(Exit::Protocol, format_args!("{} does not answer in JSON", self.url))
        })?;
        Ok((answer.status.as_u16(), json))
    }
}

/// `text` as one piece of a path or of a query.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
