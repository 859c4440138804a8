#!/bin/sh
# GetKey in one file, to be copied: open a session at the GSP, call with it, renew it.
#
#   sh getkey.sh                           the demonstration at the end of this file
#   sh getkey.sh --selftest vectors.json   the known answers, without a network
#
# Needs openssl and curl. Settings are environment variables; secrets do not belong on a command line, which every
# user of the machine can read:
#
#   SUVIDHA_GATEWAY      where the GSP listens, such as https://gsp.example.in
#   SUVIDHA_ASPID        the ten digits
#   SUVIDHA_ASP_SECRET   the 32 characters of the ASP secret; the account password is something else
#   SUVIDHA_ASP_KEY      a PEM file: the private key whose certificate the GSP has registered
#   SUVIDHA_CA           optional, a PEM file: the CA of the gateway's TLS certificate, if it is a private one
#   SUVIDHA_GSTIN        optional: whom to search
#
# One thing cannot be had from the openssl command: it takes an AES key as an argument only (`enc -K`), so that for
# the few milliseconds of its run other users of the machine can see it in `ps`, unless /proc is mounted with
# hidepid=2. On a machine that is shared use another of these clients. Nothing else here appears in `ps`: `printf` is
# part of the shell, and curl reads its headers from standard input.
set -eu

margin=60 # A session is replaced so many seconds before it ends.
ends=0

fail() {
  echo "error: $*" >&2
  exit 1
}

# Keys are held as hexadecimal digits, for a shell variable cannot hold every byte.
to_hex() { od -An -v -tx1 | tr -d ' \n'; }
to_base64() { openssl base64 -A; }
from_base64() { openssl base64 -d -A; }

# field NAME JSON: a member of an object without its quotes; nothing if it is not there.
field() {
  printf '%s\n' "$2" | awk -v name="$1" '
    { text = text $0 " " }
    END {
      if (!match(text, "\"" name "\"[ \t]*:[ \t]*(\"([^\"\\\\]|\\\\.)*\"|[^][{}\", \t]+)")) exit
      value = substr(text, RSTART, RLENGTH)
      sub(/^"[^"]*"[ \t]*:[ \t]*/, "", value)
      if (sub(/^"/, "", value)) sub(/"$/, "", value)
      gsub(/\\"/, "\"", value)
      gsub(/\\\//, "/", value)
      print value
    }'
}

# ddMMyyyyHHmmss in IST, whatever the zone of this machine, and a tail that makes it unique.
new_timestamp() { TZ=IST-5:30 date +%d%m%Y%H%M%S | tr -d '\n' && openssl rand -hex 3; }

# sign ASPID TIMESTAMP: RSA, PKCS#1 v1.5, SHA-256, over the two with nothing in between.
sign() { printf %s "$1$2" | openssl dgst -sha256 -sign "$SUVIDHA_ASP_KEY" | to_base64; }

# open_session_key SECRET REPLY: AES-256 under the secret as it is written, not decoded from base64. While the GSP
# changes a secret, enc_key is under the old one and enc_key_next under the new one. The 32 bytes of the session key
# are followed by a whole block of padding, 16 times 0x10; that tells whether the secret was the right one.
open_session_key() {
  for name in enc_key enc_key_next; do
    opened=$(field "$name" "$2" | from_base64 |
      openssl enc -d -aes-256-ecb -nopad -K "$(printf %s "$1" | to_hex)" 2>/dev/null | to_hex)
    key=${opened%10101010101010101010101010101010}
    if [ ${#opened} -eq 96 ] && [ ${#key} -eq 64 ]; then
      printf %s "$key"
      return
    fi
  done
  fail 'enc_key does not open: SUVIDHA_ASP_SECRET is not the ASP secret of this environment'
}

# asp_secret_header SESSION_KEY SECRET: what proves us on each call, the secret under the session key.
asp_secret_header() { printf %s "$2" | openssl enc -aes-256-ecb -K "$1" | to_base64; }

# exchange METHOD PATH BODY [HEADER…]: `reply` is what came back, `status` its HTTP status.
exchange() {
  method=$1 path=$2 body=$3
  shift 3
  reply=$({
    printf 'request = "%s"\nurl = "%s"\n' "$method" "${SUVIDHA_GATEWAY%/}$path"
    printf 'header = "%s"\n' 'content-type: application/json' "txn: $(openssl rand -hex 16)" "$@"
    [ -z "$body" ] || printf 'data-raw = "%s"\n' "$(printf %s "$body" | sed 's/[\\"]/\\&/g')"
    [ -z "${SUVIDHA_CA-}" ] || printf 'cacert = "%s"\n' "$SUVIDHA_CA"
  } | curl --disable --silent --show-error --max-time 30 --write-out '%{http_code}' --config -) ||
    fail "no answer from $SUVIDHA_GATEWAY"
  status=${reply#"${reply%???}"}
  reply=${reply%???}
}

# The GSP, or GSTN behind it, may have said no.
require_success() {
  [ "$status" -ge 300 ] || [ "$(field status_cd "$reply")" = 0 ] || return 0
  remedy=$(field remedy "$reply")
  fail "$(field error_cd "$reply") (HTTP $status) $(field message "$reply")${remedy:+
remedy: $remedy}"
}

getkey() {
  timestamp=$(new_timestamp) # A signed message serves once.
  signed_content=$(sign "$SUVIDHA_ASPID" "$timestamp")
  [ -n "$signed_content" ] || fail "cannot sign with $SUVIDHA_ASP_KEY"
  exchange POST /aspapi/v1.0/getKey "{\"timestamp\":\"$timestamp\",\"signed_content\":\"$signed_content\"}" \
    "aspid: $SUVIDHA_ASPID"
  require_success
  session_key=$(open_session_key "$SUVIDHA_ASP_SECRET" "$reply")
  # A script that ends forgets its session: let it keep these three in a file of mode 0600, and take them up again.
  session_id=$(field session_id "$reply")
  asp_secret=$(asp_secret_header "$session_key" "$SUVIDHA_ASP_SECRET")
  ends=$(($(date +%s) + 60 * $(field validity_min "$reply")))
  echo "session_id=$session_id validity_min=$(field validity_min "$reply")"
}

# call METHOD PATH BODY [HEADER…]: any API. GSP022 says that the session ended early; a new one mends that, once.
call() {
  [ "$(date +%s)" -lt $((ends - margin)) ] || getkey
  exchange "$@" "aspid: $SUVIDHA_ASPID" "session-id: $session_id" "asp-secret: $asp_secret"
  if [ "$(field error_cd "$reply")" = GSP022 ]; then
    getkey
    exchange "$@" "aspid: $SUVIDHA_ASPID" "session-id: $session_id" "asp-secret: $asp_secret"
  fi
  require_success
}

search() {
  # What GSTN wants of a call; for a taxpayer's own data add `username`, `auth-token` and `ret_period`.
  call GET "/commonapi/v1.1/search?action=TP&gstin=$gstin" '' \
    "gstin: $gstin" "state-cd: ${gstin%"${gstin#??}"}" 'ip-usr: 127.0.0.1'
  echo "search status_cd=$(field status_cd "$reply")"
}

demonstrate() {
  : "${SUVIDHA_GATEWAY:?}" "${SUVIDHA_ASPID:?}" "${SUVIDHA_ASP_SECRET:?}" "${SUVIDHA_ASP_KEY:?}"
  [ ${#SUVIDHA_ASP_SECRET} -eq 32 ] || fail 'SUVIDHA_ASP_SECRET must have 32 characters'
  gstin=${SUVIDHA_GSTIN:-29DEMOS1234D1ZG}
  search
  ends=0 # As if hours had passed: the next call finds its session about to end.
  search
}

# same WHAT OURS THEIRS
same() {
  if [ "$2" = "$3" ]; then echo "ok $1"; else echo "WRONG $1" && wrong=1; fi
}

selftest() {
  known=$(cat "$1") wrong=0
  secret=$(field asp_secret "$known")
  session_key=$(open_session_key "$secret" "{\"enc_key\":\"AAAA\",\"enc_key_next\":\"$(field enc_key "$known")\"}")
  same 'session key' "$session_key" "$(field session_key_b64 "$known" | from_base64 | to_hex)"
  same asp-secret "$(asp_secret_header "$session_key" "$secret")" "$(field asp_secret_header "$known")"
  while read -r one; do
    timestamp=$(field timestamp "$one")
    [ -z "$timestamp" ] ||
      same "$timestamp" "$(sign "$(field aspid "$known")" "$timestamp")" "$(field signed_content "$one")"
  done <<EOF
$(tr -d '\n' <"$1" | tr '{' '\n')
EOF
  return $wrong
}

case ${1-} in
--selftest) selftest "$2" ;;
*) demonstrate ;;
esac
