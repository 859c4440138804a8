#!/bin/sh
# How the files beside this script were made: by openssl 3 and Java's keytool, so that the tests check against another implementation.
# The keys protect nothing. vectors.json is not made here; file-inner.txt is the text inside its tar.gz.
set -eu
cd "$(dirname "$0")"
self_signed() { openssl req -x509 -key "$1" -subj "$2" -days 36500 -set_serial "$3" -out "$4"; }

# One RSA-2048 key in every form.
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pkcs8.pem
openssl pkcs8 -topk8 -nocrypt -in key.pkcs8.pem -outform DER -out key.pkcs8.der
openssl rsa -in key.pkcs8.pem -traditional -out key.pkcs1.pem
openssl rsa -in key.pkcs8.pem -traditional -outform DER -out key.pkcs1.der
openssl pkey -in key.pkcs8.pem -aes256 -passout pass:secret -out key.encrypted.pem
openssl rsa -in key.pkcs8.pem -traditional -aes256 -passout pass:secret -out key.encrypted.pkcs1.pem
openssl pkey -in key.pkcs8.pem -pubout -out public.spki.pem
openssl pkey -in key.pkcs8.pem -pubout -outform DER -out public.spki.der
openssl rsa -in key.pkcs8.pem -RSAPublicKey_out -out public.pkcs1.pem
openssl rsa -in key.pkcs8.pem -RSAPublicKey_out -outform DER -out public.pkcs1.der
sed 's/PUBLIC KEY/RSA PUBLIC KEY/' public.spki.pem > public.mislabelled.pem
self_signed key.pkcs8.pem "/C=IN/O=Test GSTN/CN=Test GSTN Public" 0xfe00000000000001 certificate.pem
openssl x509 -in certificate.pem -outform DER -out certificate.der
date_of() { date -ud "$(openssl x509 -in certificate.pem -noout "$1" | cut -d= -f2)" +%s; }
{
  date_of -startdate
  date_of -enddate
  openssl x509 -in certificate.pem -noout -fingerprint -sha256 | cut -d= -f2 | tr -d : | tr A-F a-f
} > certificate.facts.txt

# What it encrypts and signs; what AES-256-ECB makes of a long text (key: 32 times the letter k).
printf 'abcdefghijklmnopqrstuvwxyz012345' > app-key.txt
openssl pkeyutl -encrypt -pubin -inkey public.spki.pem -in app-key.txt | openssl base64 -A > app-key.rsa.txt
printf '785762215522112026101530123456' | openssl dgst -sha256 -sign key.pkcs8.pem | openssl base64 -A > signature.txt
seq 1 2000 > long.txt
openssl enc -aes-256-ecb -K "$(printf '%064d' 0 | sed 's/00/6b/g')" -in long.txt | openssl base64 -A > long.aes.txt

# Keys and certificates that must be refused, and the largest that must not.
for bits in 1024 4096 8192; do
  openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:$bits -out rsa$bits.key.pem
  self_signed rsa$bits.key.pem /CN=rsa$bits 1 rsa$bits.certificate.pem
done
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.key.pem
self_signed ec.key.pem /CN=ec 1 ec.certificate.pem

# PKCS#12, as today's and yesterday's openssl writes it.
export_pfx() { out=$1; shift; openssl pkcs12 -export -inkey key.pkcs8.pem -in certificate.pem -name asp -out "$out" "$@"; }
export_pfx modern.pfx -passout pass:open-sesame
export_pfx legacy.pfx -passout pass:open-sesame -legacy
export_pfx triple-des.pfx -passout pass:open-sesame -legacy -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1
export_pfx pbes2-3des.pfx -passout pass:open-sesame -keypbe DES-EDE3-CBC -certpbe DES-EDE3-CBC
export_pfx rc2-128.pfx -passout pass:open-sesame -legacy -certpbe PBE-SHA1-RC2-128
export_pfx no-mac.pfx -passout pass:open-sesame -nomac
export_pfx empty-password.pfx -passout pass:
export_pfx unicode-password.pfx -passout pass:रहस्य
export_pfx with-others.pfx -passout pass:open-sesame -certfile rsa4096.certificate.pem
openssl pkcs12 -export -inkey key.pkcs8.pem -nocerts -passout pass:open-sesame -out key-only.pfx
openssl pkcs12 -export -nokeys -in certificate.pem -passout pass:open-sesame -out certificate-only.pfx
openssl pkcs12 -export -inkey ec.key.pem -in ec.certificate.pem -passout pass:open-sesame -out ec.pfx
rm -f java-sha1.pfx
keytool -importkeystore -srckeystore modern.pfx -srcstorepass open-sesame -destkeystore java-sha1.pfx \
  -deststoretype PKCS12 -deststorepass open-sesame -J-Dkeystore.pkcs12.macAlgorithm=HmacPBESHA1 \
  -J-Dkeystore.pkcs12.keyProtectionAlgorithm=PBEWithHmacSHA1AndAES_256 \
  -J-Dkeystore.pkcs12.certProtectionAlgorithm=PBEWithHmacSHA1AndAES_128

# What openssl signs as a DSC would, over the digest of "eyJnc3RpbiI6IjI3In0=" and over its hex text.
printf 'eyJnc3RpbiI6IjI3In0=' | openssl dgst -sha256 -binary > dsc.digest
printf 'eyJnc3RpbiI6IjI3In0=' | openssl dgst -sha256 -r | cut -d' ' -f1 | tr -d '\n' > dsc.hex
cms() { openssl cms -sign -binary -md sha256 -signer certificate.pem -inkey key.pkcs8.pem -outform DER -in "$1" "$2" "$3" | openssl base64 -A > "$4"; }
cms dsc.digest -nodetach -noattr dsc.attached.txt
cms dsc.digest -nodetach -nosmimecap dsc.attributes.txt
cms dsc.hex -nosmimecap -noattr dsc.detached-hex.txt
rm dsc.digest dsc.hex
chmod 644 *.pem *.der *.pfx
