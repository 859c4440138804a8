//! The digital signature certificate: how a return is signed with a PAN's own key (CMS SignedData, RFC 5652).
//!
//! Signed is the SHA-256 of the base64 text that a filing's `data` decrypts to. Clients differ in two things, so every
//! form is read: the content is attached or left out, and it is the digest's 32 bytes, its hex text or the text itself. We
//! sign the attached 32 bytes, without signed attributes: the one form that a client in the field was seen to send. Messages of indefinite length (`openssl cms -stream`) are not read.

use x509_parser::asn1_rs::{Any, Class, FromBer, Oid, Tag, oid};

use super::{Certificate, CryptoError, PrivateKey, base64, sha256, sha256_hex};

const SIGNED_DATA: Oid<'static> = oid!(1.2.840.113549.1.7.2);
const SHA_256: Oid<'static> = oid!(2.16.840.1.101.3.4.2.1);
const MESSAGE_DIGEST: Oid<'static> = oid!(1.2.840.113549.1.9.4);

/// The same as DER, for what we write ourselves.
const SIGNED_DATA_DER: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const DATA_DER: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const SHA_256_DER: &[u8] = &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const RSA_DER: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
const VERSION_1_DER: &[u8] = &[0x02, 0x01, 0x01];

/// A signature that was found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DscSignature {
    /// The certificate of the key that signed. Neither its dates nor its issuer are checked here.
    pub certificate: Certificate,
    /// Whether the content lies in the message.
    pub attached: bool,
    /// What was signed.
    pub content: DscContent,
}

/// What a client signs when it signs a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DscContent {
    /// The 32 bytes of its SHA-256.
    Digest,
    /// The hex text of its SHA-256, in lower case.
    Hex,
    /// The text itself.
    Text,
}

/// The `sign` of a filing with DSC: base64 of a CMS message over `base64_text`.
///
/// # Errors
/// [`CryptoError`] if the key cannot sign, or is not that of the certificate.
pub fn dsc_sign(
    key: &PrivateKey,
    certificate: &Certificate,
    base64_text: &str,
) -> Result<String, CryptoError> {
    if key.public_key() != certificate.public_key() {
        return Err(CryptoError);
    }
    let content = sha256(base64_text.as_bytes());
    let signature = key.sign_sha256(&content)?;
    let (issuer, serial) = issuer_and_serial(certificate.der()).ok_or(CryptoError)?;
    let digest_algorithm = der(0x30, SHA_256_DER);
    let signer = [
        VERSION_1_DER,
        &der(0x30, &[issuer, serial].concat()),
        &digest_algorithm,
        &der(0x30, RSA_DER),
        &der(0x04, &signature),
    ]
    .concat();
    let enclosed = [DATA_DER, &der(0xa0, &der(0x04, &content))].concat();
    let signed_data = [
        VERSION_1_DER,
        &der(0x31, &digest_algorithm),
        &der(0x30, &enclosed),
        &der(0xa0, certificate.der()),
        &der(0x31, &der(0x30, &signer)),
    ]
    .concat();
    let message = [SIGNED_DATA_DER, &der(0xa0, &der(0x30, &signed_data))].concat();
    Ok(base64::encode(der(0x30, &message)))
}

/// Checks the `sign` of a filing with DSC against the text that was signed.
///
/// # Errors
/// [`CryptoError`] if it is no CMS message by SHA-256 and RSA with its signer's certificate, or of another text.
pub fn dsc_verify(base64_text: &str, sign: &str) -> Result<DscSignature, CryptoError> {
    let message = base64::decode_lenient(sign)?;
    let message = Message::read(&message).ok_or(CryptoError)?;
    let forms = [
        (DscContent::Digest, sha256(base64_text.as_bytes()).to_vec()),
        (DscContent::Hex, sha256_hex(base64_text.as_bytes()).into_bytes()),
        (DscContent::Text, base64_text.as_bytes().to_vec()),
    ];
    for (content, bytes) in &forms {
        if message.content.is_some_and(|enclosed| enclosed != bytes.as_slice()) {
            continue;
        }
        if let Some(certificate) = message.signer_of(bytes) {
            return Ok(DscSignature { certificate, attached: message.content.is_some(), content: *content });
        }
    }
    Err(CryptoError)
}

/// What of a CMS message matters here.
struct Message<'a> {
    content: Option<&'a [u8]>,
    certificates: &'a [u8],
    signers: &'a [u8],
}

impl<'a> Message<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let mut outer = Fields::inside(message, Tag::Sequence.0)?;
        if outer.oid()? != SIGNED_DATA {
            return None;
        }
        let mut fields = Fields::inside(outer.context(0)?, Tag::Sequence.0)?;
        fields.universal(Tag::Integer.0)?;
        fields.universal(Tag::Set.0)?;
        let mut enclosed = Fields(fields.universal(Tag::Sequence.0)?);
        enclosed.oid()?;
        let content = match enclosed.context(0) {
            Some(octets) => Some(Fields(octets).universal(Tag::OctetString.0)?),
            None => None,
        };
        let certificates = fields.context(0)?;
        fields.context(1);
        Some(Self { content, certificates, signers: fields.universal(Tag::Set.0)? })
    }

    /// The enclosed certificate whose key signed `content`.
    fn signer_of(&self, content: &[u8]) -> Option<Certificate> {
        let mut signers = Fields(self.signers);
        while let Some(signer) = signers.universal(Tag::Sequence.0) {
            let Some((signed, signature)) = signed_bytes(signer, content) else { continue };
            let mut certificates = Fields(self.certificates);
            while let Some(der) = certificates.whole() {
                let Ok(certificate) = Certificate::from_der(der) else { continue };
                if certificate.public_key().verify_sha256(&signed, signature).is_ok() {
                    return Some(certificate);
                }
            }
        }
        None
    }
}

/// What a signer signed, and the signature: the content, or attributes that hold its digest.
fn signed_bytes<'a>(signer: &'a [u8], content: &[u8]) -> Option<(Vec<u8>, &'a [u8])> {
    let mut fields = Fields(signer);
    fields.universal(Tag::Integer.0)?;
    fields.whole()?;
    let mut algorithm = Fields(fields.universal(Tag::Sequence.0)?);
    if algorithm.oid()? != SHA_256 {
        return None;
    }
    let attributes = fields.context(0);
    fields.universal(Tag::Sequence.0)?;
    let signature = fields.universal(Tag::OctetString.0)?;
    match attributes {
        None => Some((content.to_vec(), signature)),
        Some(attributes) => {
            let digest = attribute(attributes, &MESSAGE_DIGEST)?;
            let fits = Fields(digest).universal(Tag::OctetString.0)? == sha256(content);
            fits.then(|| (der(0x31, attributes), signature))
        }
    }
}

/// The values of one attribute.
fn attribute<'a>(attributes: &'a [u8], wanted: &Oid<'_>) -> Option<&'a [u8]> {
    let mut list = Fields(attributes);
    while let Some(attribute) = list.universal(Tag::Sequence.0) {
        let mut fields = Fields(attribute);
        if fields.oid()? == *wanted {
            return fields.universal(Tag::Set.0);
        }
    }
    None
}

/// Issuer and serial number of a certificate, each as it is encoded there.
fn issuer_and_serial(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = Fields(Fields::inside(certificate, Tag::Sequence.0)?.universal(Tag::Sequence.0)?);
    fields.context(0);
    let serial = fields.whole()?;
    fields.universal(Tag::Sequence.0)?;
    Some((fields.whole()?, serial))
}

/// The elements of a constructed value, read one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Of the one value that `bytes` begin with.
    fn inside(bytes: &'a [u8], tag: u32) -> Option<Self> {
        Self(bytes).universal(tag).map(Fields)
    }

    fn peek(&self) -> Option<(&'a [u8], Any<'a>)> {
        Any::from_ber(self.0).ok()
    }

    /// The content of the next element, if it has this tag; nothing is read otherwise.
    fn universal(&mut self, tag: u32) -> Option<&'a [u8]> {
        self.take(|any| any.class() == Class::Universal && any.tag().0 == tag)
    }

    /// The same for a context-specific tag.
    fn context(&mut self, tag: u32) -> Option<&'a [u8]> {
        self.take(|any| any.class() == Class::ContextSpecific && any.tag().0 == tag)
    }

    fn take(&mut self, wanted: impl FnOnce(&Any<'_>) -> bool) -> Option<&'a [u8]> {
        let (rest, any) = self.peek()?;
        if !wanted(&any) {
            return None;
        }
        self.0 = rest;
        Some(any.data)
    }

    fn oid(&mut self) -> Option<Oid<'a>> {
        self.universal(Tag::Oid.0).map(|bytes| Oid::new(bytes.into()))
    }

    /// The next element with its tag and length.
    fn whole(&mut self) -> Option<&'a [u8]> {
        let (rest, _) = self.peek()?;
        let whole = self.0.get(..self.0.len() - rest.len())?;
        self.0 = rest;
        Some(whole)
    }
}

/// A value in DER: tag, length, content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut out = vec![tag];
    match significant {
        [] => out.push(0),
        [byte] if *byte < 0x80 => out.push(*byte),
        _ => {
            out.push(0x80 | significant.len() as u8);
            out.extend_from_slice(significant);
        }
    }
    out.extend_from_slice(content);
    out
}
