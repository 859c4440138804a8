//! `suvidha gst keygen`: the key pair with which an ASP signs its GetKey calls, in the forms its tools and its GSP want.

use std::path::{Path, PathBuf};

use clap::Args;
use gstn::crypto::{Certificate, CertificateError, PrivateKey, write_pfx};
use jiff::Timestamp;
use rcgen::{DistinguishedName, DnType};
use serde::Serialize;
use suvidha_seam::Seam;

use crate::exit::{Exit, Failure};
use crate::files;
use crate::output::{Answer, Output, fields, instant};
use crate::registry::make_private_directory;
use crate::x509;

use super::secrets::Wanted;

/// `suvidha gst keygen`.
#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// The ASP's name, as the certificate's subject shows it
    #[arg(long, value_parser = subject_part)]
    name: String,
    /// The organisation behind it; the ASP's name when left out
    #[arg(long, value_name = "NAME", value_parser = subject_part)]
    organization: Option<String>,
    /// Directory to write to; made when missing
    #[arg(long, value_name = "DIR", default_value = "asp-key")]
    out: PathBuf,
    /// Size of the RSA key in bits
    #[arg(long, value_name = "BITS", default_value = "2048", value_parser = ["2048", "3072", "4096"])]
    bits: String,
    /// For how many days the certificate is valid
    #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u16).range(1..=7300))]
    days: u16,
    /// File with the passphrase of the .pfx; `-` is standard input. Without it the passphrase is taken from
    /// SUVIDHA_PFX_PASSPHRASE, or asked for
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// What a passphrase is called, and where it comes from.
pub(crate) fn passphrase(file: Option<&Path>) -> Wanted<'_> {
    Wanted {
        what: "passphrase of the .pfx",
        file,
        option: "--passphrase-file",
        variable: "SUVIDHA_PFX_PASSPHRASE",
    }
}

/// Lengths are those of X.520.
fn subject_part(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is empty".to_owned()),
        name if name.chars().count() > 64 => Err("it is longer than 64 characters".to_owned()),
        name if name.chars().any(char::is_control) => Err("it has control characters".to_owned()),
        name => Ok(name.to_owned()),
    }
}

impl Keygen {
    pub(crate) fn run(self, output: Output, seam: &Seam) -> Result<(), Failure> {
        let paths = ["asp.key.pem", "asp.pfx", "asp.cer", "asp.pem"].map(|name| self.out.join(name));
        if let Some(taken) = paths.iter().find(|path| path.exists()) {
            let what = format_args!("{} exists already", taken.display());
            return Err(Failure::new(Exit::CannotCreate, what)
                .remedy("Nothing was written. Move it away, or write elsewhere with --out."));
        }
        let passphrase = passphrase(self.passphrase_file.as_deref()).ask_twice()?;
        let key = PrivateKey::generate(self.bits.parse().unwrap_or_default()).map_err(failed)?;
        let certificate = x509::self_signed(&key, self.subject(), self.days, seam)?;
        let pfx = write_pfx(&key, &certificate, passphrase.expose(), &self.name).map_err(failed)?;

        make_private_directory(&self.out)?;
        let [key_pem, pfx_path, cer, pem] = paths;
        write(&key_pem, key.pkcs8_pem().as_bytes(), 0o600)?;
        write(&pfx_path, &pfx, 0o600)?;
        write(&cer, certificate.der(), 0o644)?;
        write(&pem, certificate.pem().as_bytes(), 0o644)?;
        output.show(&Made::new(&certificate, [key_pem, pfx_path, cer, pem]))
    }

    fn subject(&self) -> DistinguishedName {
        let mut subject = DistinguishedName::new();
        subject.push(DnType::CommonName, self.name.as_str());
        subject.push(DnType::OrganizationName, self.organization.as_deref().unwrap_or(&self.name));
        subject.push(DnType::CountryName, "IN");
        subject
    }
}

fn write(path: &Path, contents: &[u8], mode: u32) -> Result<(), Failure> {
    files::replace(path, contents, mode)
        .map_err(|e| Failure::io(Exit::CannotCreate, format_args!("cannot write {}", path.display()), &e))
}

fn failed(error: CertificateError) -> Failure {
    Failure::new(Exit::Data, error)
}

#[derive(Serialize)]
struct Made {
    private_key: PathBuf,
    pfx: PathBuf,
    certificate: PathBuf,
    certificate_pem: PathBuf,
    subject: String,
    bits: usize,
    expires_at: String,
    sha256_fingerprint: String,
}

impl Made {
    fn new(certificate: &Certificate, paths: [PathBuf; 4]) -> Self {
        let [private_key, pfx, der, certificate_pem] = paths;
        let not_after = Timestamp::from_second(certificate.not_after()).unwrap_or(Timestamp::MAX);
        Self {
            private_key,
            pfx,
            certificate: der,
            certificate_pem,
            subject: certificate.subject().to_owned(),
            bits: certificate.public_key().bits(),
            expires_at: instant(not_after),
            sha256_fingerprint: certificate.sha256_fingerprint(),
        }
    }
}

impl Answer for Made {
    fn words(&self) -> String {
        let path = |path: &Path| path.display().to_string();
        fields(&[
            ("private key", path(&self.private_key)),
            ("with certificate", path(&self.pfx)),
            ("certificate", path(&self.certificate)),
            ("the same in PEM", path(&self.certificate_pem)),
            ("subject", self.subject.clone()),
            ("bits", self.bits.to_string()),
            ("valid until", self.expires_at.clone()),
            ("SHA-256", self.sha256_fingerprint.clone()),
        ]) + &format!(
            "\nSend {cer} to your GSP, and to nobody {key} or {pfx}.\n\
             A GSP that runs Suvidha makes it known with: suvidha asp cert add ASPID {cer} --environment ENVIRONMENT\n\
             Then log in with: suvidha gst login --auth getkey --key {pfx} …\n",
            cer = self.certificate.display(),
            key = self.private_key.display(),
            pfx = self.pfx.display(),
        )
    }
}
