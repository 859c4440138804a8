//! A static token, in `X-CT-Auth-Token` as ClearTax's customers send it, or as `Authorization: Bearer`.

use super::{Principal, Scene, judged};
use crate::error::{Error, Kind};
use crate::pipeline::head::{Head, Header};

/// The token of a request. The two headers may both be there if they agree.
pub(super) fn presented<'h>(head: &Head<'h>) -> Result<Option<&'h str>, Error> {
    match (head.text(Header::XCtAuthToken), bearer(head)) {
        (Some(own), Some(bearer)) if own != bearer => {
            let words = "X-CT-Auth-Token and Authorization carry different tokens.";
            Err(Error::saying(Kind::ConflictingCredentials, words))
        }
        (own, bearer) => Ok(own.or(bearer)),
    }
}

/// Whose token it is.
pub(super) fn judge(token: &str, scene: Scene<'_>) -> Result<Principal, Error> {
    judged(scene.snapshot.by_token(scene.environment, token, scene.now), Kind::UnknownToken)
}

fn bearer<'h>(head: &Head<'h>) -> Option<&'h str> {
    let (scheme, token) = head.text(Header::Authorization)?.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

#[cfg(test)]
mod tests {
    use gstn::headers::X_CT_AUTH_TOKEN;
    use http::header::AUTHORIZATION;
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::pipeline::head::with;

    fn of(
        own: Option<&'static str>,
        authorization: Option<&'static str>,
    ) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        own.map(|value| headers.insert(X_CT_AUTH_TOKEN, HeaderValue::from_static(value)));
        authorization.map(|value| headers.insert(AUTHORIZATION, HeaderValue::from_static(value)));
        presented(&Head::read(&with(&headers)).0)
            .map(|token| token.map(str::to_owned))
            .map_err(|error| error.code())
    }

    #[test]
    fn either_header_carries_the_token() {
        assert_eq!(of(Some("abc"), None), Ok(Some("abc".to_owned())));
        assert_eq!(of(None, Some("bearer  abc ")), Ok(Some("abc".to_owned())));
        assert_eq!(of(Some("abc"), Some("Bearer abc")), Ok(Some("abc".to_owned())));
        assert_eq!(of(Some("abc"), Some("Bearer abd")), Err("GSP603"));
        for authorization in [None, Some("Basic YTpi"), Some("abc"), Some("Bearer "), Some("")] {
            assert_eq!(of(None, authorization), Ok(None), "{authorization:?}");
        }
    }
}
