//! `suvidha tls dev-ca`: a certificate authority for development and a server certificate signed by it.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use serde::Serialize;
use suvidha_seam::Seam;

use crate::cli::{DevCa, TlsCommand};
use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output, fields};
use crate::registry::make_private_directory;
use crate::x509::{self, failed};

/// The authority's name; with its key it is all that a later run needs to sign again.
const CA_NAME: &str = "Suvidha development CA";
const CA_DAYS: u16 = 3650;

/// Runs `suvidha tls …`.
pub(crate) fn run(command: TlsCommand, output: Output, seam: &Seam) -> Result<(), Failure> {
    let TlsCommand::DevCa(options) = command;
    output.show(&dev_ca(&options, seam)?)
}

fn dev_ca(options: &DevCa, seam: &Seam) -> Result<Made, Failure> {
    let names = names(&options.names)?;
    make_private_directory(&options.out)?;
    let made = Made {
        ca: options.out.join("ca.pem"),
        ca_key: options.out.join("ca-key.pem"),
        certificate: options.out.join("server.pem"),
        key: options.out.join("server-key.pem"),
        names,
    };
    if !options.renew {
        refuse_existing(&[&made.certificate, &made.key])?;
    }
    let ca = authority(&made, seam)?;
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = server_params(&made.names, options.days, seam)?.signed_by(&key, &ca).map_err(failed)?;
    replace(&made.key, &key.serialize_pem(), 0o600)?;
    replace(&made.certificate, &certificate.pem(), 0o644)?;
    Ok(made)
}

fn names(given: &[String]) -> Result<Vec<String>, Failure> {
    if given.is_empty() {
        return Ok(["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec());
    }
    for name in given {
        let label = |label: &str| {
            (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let host = name.strip_prefix("*.").unwrap_or(name);
        if name.parse::<IpAddr>().is_err() && (name.len() > 253 || !host.split('.').all(label)) {
            let message = format_args!("{name:?} is neither a host name nor an IP address");
            return Err(Failure::new(Exit::Usage, message));
        }
    }
    Ok(given.to_vec())
}

fn refuse_existing(files: &[&Path]) -> Result<(), Failure> {
    match files.iter().find(|file| file.exists()) {
        Some(file) => {
            Err(Failure::new(Exit::CannotCreate, format_args!("{} exists already", file.display()))
                .remedy("replace it with --renew, or write elsewhere with --out"))
        }
        None => Ok(()),
    }
}

/// The authority in the directory, made where there is none.
fn authority(made: &Made, seam: &Seam) -> Result<Issuer<'static, KeyPair>, Failure> {
    let params = authority_params(seam)?;
    if made.ca.exists() || made.ca_key.exists() {
        let pem = fs::read_to_string(&made.ca_key)
            .map_err(|e| Failure::io(Exit::Io, format_args!("cannot read {}", made.ca_key.display()), &e))?;
        let key = KeyPair::from_pem(&pem).map_err(|e| {
            Failure::new(Exit::Data, format_args!("{} holds no private key: {e}", made.ca_key.display()))
        })?;
        if !made.ca.exists() {
            let message = format_args!("{} is there without {}", made.ca_key.display(), made.ca.display());
            return Err(
                Failure::new(Exit::Data, message).remedy("restore the certificate, or remove the key")
            );
        }
        return Ok(Issuer::new(params, key));
    }
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    replace(&made.ca_key, &key.serialize_pem(), 0o600)?;
    replace(&made.ca, &certificate.pem(), 0o644)?;
    Ok(Issuer::new(params, key))
}

fn authority_params(seam: &Seam) -> Result<CertificateParams, Failure> {
    let mut params = x509::params(Vec::new(), common_name(CA_NAME), CA_DAYS, seam)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn server_params(names: &[String], days: u16, seam: &Seam) -> Result<CertificateParams, Failure> {
    let subject = common_name(names.first().map_or("localhost", String::as_str));
    let mut params = x509::params(names.to_vec(), subject, days, seam)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// Writes a file in one step: nobody reads half of it, and it never has wider rights than `mode`.
fn replace(path: &Path, contents: &str, mode: u32) -> Result<(), Failure> {
    crate::files::replace(path, contents.as_bytes(), mode)
        .map_err(|e| Failure::io(Exit::CannotCreate, format_args!("cannot write {}", path.display()), &e))
}

#[derive(Serialize)]
struct Made {
    ca: PathBuf,
    ca_key: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    names: Vec<String>,
}

impl Answer for Made {
    fn words(&self) -> String {
        let path = |path: &Path| path.display().to_string();
        fields(&[
            ("CA", path(&self.ca)),
            ("CA key", path(&self.ca_key)),
            ("certificate", path(&self.certificate)),
            ("key", path(&self.key)),
            ("names", self.names.join(", ")),
        ]) + &format!(
            "\nTry it with: curl --cacert {} …\nFor development only: whoever has the CA key can pose as any server.\n",
            self.ca.display()
        )
    }
}
