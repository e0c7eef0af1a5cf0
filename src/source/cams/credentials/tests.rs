//! Which place is chosen, what is asked there, and what is read.

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| (format!("ALIBABA_CLOUD_{name}"), (*value).into())).collect()
}

fn chosen(pairs: &[(&str, &str)]) -> String {
    KeyProvider::choose(&variables(pairs)).map_or_else(|fault| fault.message, |provider| provider.name().to_owned())
}

fn answer(status: u16, body: &str) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const OIDC: [(&str, &str); 3] =
    [("ROLE_ARN", "acs:ram::1:role/r"), ("OIDC_PROVIDER_ARN", "acs:ram::1:oidc/p"), ("OIDC_TOKEN_FILE", "/t")];

#[test]
fn the_first_place_that_is_configured_counts() {
    let keys = [("ACCESS_KEY_ID", "i"), ("ACCESS_KEY_SECRET", "s")];
    let uri = [("CREDENTIALS_URI", "http://127.0.0.1/k")];
    assert!(chosen(&[&keys[..], &OIDC, &uri].concat()).contains("environment"));
    assert!(chosen(&[&keys[..1], &OIDC, &uri].concat()).contains("RRSA"));
    assert!(chosen(&[&OIDC[..2], &uri].concat()).contains("URI"));
    assert!(chosen(&[&OIDC[..2], &[("ACCESS_KEY_ID", " ")]].concat()).contains("ECS"));
    assert!(chosen(&[("ECS_METADATA_DISABLED", "True")]).contains("configures no access keys"));
    assert!(chosen(&[("ECS_METADATA", "../secret")]).contains("not a role name"));
    assert!(chosen(&[&OIDC[..], &[("STS_REGION", "evil.example/")]].concat()).contains("not a region"));
    let ecs = KeyProvider::choose(&variables(&[("ECS_METADATA", "r-1"), ("IMDSV1_DISABLED", "true")])).unwrap();
    let KeyProvider::Ecs(Ecs { role: Some(role), tokenless: false }) = ecs else { panic!("{ecs:?}") };
    assert_eq!(role, "r-1");
}

#[test]
fn nothing_secret_is_shown() {
    let all = variables(&[("ACCESS_KEY_ID", "hush-1"), ("ACCESS_KEY_SECRET", "hush-2"), ("SECURITY_TOKEN", "hush-3")]);
    let uri = variables(&[("CREDENTIALS_URI", "http://h/?hush")]);
    let shown = format!("{all:?} {:?} {:?}", KeyProvider::choose(&all), KeyProvider::choose(&uri));
    assert!(!shown.contains("hush"), "{shown}");
    let odd = variables(&[("ACCESS_KEY_ID", "a\nhush"), ("ACCESS_KEY_SECRET", "b")]);
    assert!(!KeyProvider::choose(&odd).unwrap_err().message.contains("hush"));
    assert!(!super::uri(&"hush hush".into()).unwrap_err().message.contains("hush"));
}

#[test]
fn the_role_is_assumed_with_the_token_in_the_body() {
    let region = [("STS_REGION", "ap-southeast-1"), ("VPC_ENDPOINT_ENABLED", "true"), ("ROLE_SESSION_NAME", "me")];
    for (more, host) in [(&region[..], "sts-vpc.ap-southeast-1"), (&region[..1], "sts.ap-southeast-1"), (&[], "sts")] {
        let KeyProvider::Oidc(oidc) = KeyProvider::choose(&variables(&[&OIDC[..], more].concat())).unwrap() else {
            panic!()
        };
        assert_eq!(oidc.base(), format!("https://{host}.aliyuncs.com"));
        let request = oidc.request(&oidc.base(), &"a+b\n".into(), at("2026-03-01T10:00:00.5Z")).unwrap();
        assert_eq!(request.method(), "POST");
        let query = "Action=AssumeRoleWithOIDC&Version=2015-04-01&Format=JSON&Timestamp=2026-03-01T10%3A00%3A00Z";
        assert_eq!(request.uri().query(), Some(query));
        let body = String::from_utf8(request.into_body()).unwrap();
        assert!(body.starts_with("RoleArn=acs%3Aram%3A%3A1%3Arole%2Fr&OIDCProviderArn=acs%3Aram%3A%3A1%3Aoidc%2Fp&OIDCToken=a%2Bb&RoleSessionName="), "{body}");
        assert!(body.ends_with("&DurationSeconds=3600"), "{body}");
        assert_eq!(body.contains("RoleSessionName=me&"), more.len() == 3);
    }
}

#[test]
fn the_metadata_service_is_asked_with_its_token() {
    let request = metadata_token("http://h").unwrap();
    assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("PUT", "http://h/latest/api/token"));
    assert_eq!(request.headers()["X-aliyun-ecs-metadata-token-ttl-seconds"], "21600");
    let token = read_token(&answer(200, "AQ==\n")).unwrap();
    let request = metadata("http://h", Some("r"), Some(&token)).unwrap();
    assert_eq!(request.uri(), "http://h/latest/meta-data/ram/security-credentials/r");
    assert_eq!(request.headers()["X-aliyun-ecs-metadata-token"], "AQ==");
    assert_eq!(metadata("http://h", None, None).unwrap().uri().path(), "/latest/meta-data/ram/security-credentials/");
    assert_eq!(read_role(&answer(200, "role-a\nrole-b\n")).unwrap(), "role-a");
    for (status, body) in [(404, "role"), (200, ""), (200, "<html>"), (200, "../x")] {
        assert!(read_role(&answer(status, body)).is_err(), "{body}");
    }
}

#[test]
fn keys_are_read_in_either_form_and_never_repeated() {
    let fields = r#""AccessKeyId":"STS.hush","AccessKeySecret":"hush","SecurityToken":"hush/+=","Expiration":"2026-03-01T11:00:00Z""#;
    let now = at("2026-03-01T10:00:00Z");
    for body in
        [format!(r#"{{"Code":"Success",{fields}}}"#), format!(r#"{{"RequestId":"r","Credentials":{{{fields}}}}}"#)]
    {
        let keys = read_keys(&answer(200, &body), now).unwrap();
        assert_eq!((keys.security_token.expose_secret(), keys.expires), ("hush/+=", at("2026-03-01T11:00:00Z")));
        assert!(!format!("{keys:?}").contains("hush"));
        assert!(read_keys(&answer(200, &body), keys.expires).unwrap_err().message.contains("expired"));
        for (status, broken) in [
            (403, body.clone()),
            (200, body.replace("AccessKeyId", "Id")),
            (200, body.replace("2026-03-01T11", "soon")),
            (200, body.replace("hush", "hu\\nsh")),
            (200, body.replace(r#""Code":"Success","#, "").replace("Credentials", "Other")),
            (200, body.replace("Success", "hush_1").replace(r#""RequestId":"r""#, r#""Code":"hush_1""#)),
            (200, body.replace('}', "")),
        ] {
            let fault = read_keys(&answer(status, &broken), now).unwrap_err().message;
            assert!(!fault.contains("hu"), "{fault}");
        }
    }
    let refused = answer(400, r#"{"Code":"AuthenticationFail.OIDCToken.Expired","Message":"token hush expired"}"#);
    let fault = read_keys(&refused, now).unwrap_err().message;
    assert_eq!(fault, "it answered with HTTP 400 and code AuthenticationFail.OIDCToken.Expired");
}

#[test]
fn keys_are_renewed_before_they_expire_and_never_without_pause() {
    let now = at("2026-03-01T10:00:00Z");
    let wait = |left: i64, dice| renew_after(now + jiff::SignedDuration::from_secs(left), now, dice).as_secs();
    assert_eq!(
        [-5, 0, 1, 10, 900, 1_800, 3_600, 21_600].map(|left| wait(left, 0.0)),
        [1, 1, 1, 5, 450, 900, 2_700, 3_600]
    );
    assert_eq!(wait(3_600, 1.0), 2_430);
}
