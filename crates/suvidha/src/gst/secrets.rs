//! Where secrets come from: a file, a variable of the environment, or the person at the terminal. Never the command
//! line, which every process can see.

use std::env;
use std::io::{self, IsTerminal};
use std::path::Path;

use suvidha_client::SecretString;

use crate::exit::{Exit, Failure};
use crate::secret::from_stdin;

use super::connection::read_text;

/// A secret that may be given in several ways.
pub(crate) struct Wanted<'a> {
    /// What a person calls it.
    pub(crate) what: &'static str,
    /// The file that was named for it; `-` is standard input.
    pub(crate) file: Option<&'a Path>,
    /// How the option is called that names the file.
    pub(crate) option: &'static str,
    /// The variable of the environment that may hold it.
    pub(crate) variable: &'static str,
}

impl Wanted<'_> {
    /// The secret from its file, else from its variable; nothing if there is neither.
    pub(crate) fn given(&self) -> Result<Option<SecretString>, Failure> {
        match self.file {
            Some(file) if file.as_os_str() == "-" => from_stdin(self.what).map(Some),
            Some(file) => self.read(file).map(Some),
            None => Ok(variable(self.variable)),
        }
    }

    /// The secret as it was given, or as the person at the terminal types it.
    pub(crate) fn ask(&self) -> Result<SecretString, Failure> {
        match self.given()? {
            Some(secret) => Ok(secret),
            None => prompt(self.what).ok_or_else(|| self.missing())?,
        }
    }

    /// The same for a new secret, which the person types twice.
    pub(crate) fn ask_twice(&self) -> Result<SecretString, Failure> {
        if let Some(secret) = self.given()? {
            return Ok(secret);
        }
        let first = prompt(self.what).ok_or_else(|| self.missing())??;
        let again = prompt("the same again").ok_or_else(|| self.missing())??;
        if first.expose() == again.expose() {
            return Ok(first);
        }
        Err(Failure::new(Exit::Data, format_args!("that was not the same {} twice", self.what)))
    }

    fn read(&self, file: &Path) -> Result<SecretString, Failure> {
        let text = SecretString::new(read_text(file)?);
        let line = text.expose().trim_end_matches(['\r', '\n']);
        if line.is_empty() || line.contains(['\r', '\n']) {
            let what = format_args!("{} holds no {}: one line is expected", file.display(), self.what);
            return Err(Failure::new(Exit::Data, what));
        }
        Ok(SecretString::from(line))
    }

    fn missing(&self) -> Failure {
        Failure::new(Exit::Usage, format_args!("there is no {}", self.what)).remedy(format_args!(
            "Give it in a file with {} FILE (- is standard input), or in {}.",
            self.option, self.variable
        ))
    }
}

/// A value of an option that a variable can stand for: an empty one is as good as none.
pub(crate) fn given_text(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.is_empty())
}

fn variable(name: &str) -> Option<SecretString> {
    env::var(name).ok().filter(|value| !value.is_empty()).map(SecretString::new)
}

/// What the person types, without echo; nothing where there is no person.
fn prompt(what: &str) -> Option<Result<SecretString, Failure>> {
    if !io::stdin().is_terminal() {
        return None;
    }
    let typed = rpassword::prompt_password(format!("{what}: "));
    Some(match typed {
        Ok(text) if text.is_empty() => Err(Failure::new(Exit::Data, format_args!("no {what} was typed"))),
        Ok(text) => Ok(SecretString::new(text)),
        Err(error) => Err(Failure::io(Exit::Io, format_args!("cannot ask for the {what}"), &error)),
    })
}
