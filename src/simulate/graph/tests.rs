//! Bytes in, text out: calls to the simulated Graph API and what it answers.

use serde_json::{Value, json};

use super::super::spec::{Proof, Spec, Story};
use super::super::world::World;
use super::super::{Allowance, Delivery, WorldTime, answer};

const NOON: &str = "2026-11-18T12:00:00Z";

/// A world that is asked at noon, seconds after its beginning.
struct Asked(World, f64);

impl Asked {
    fn of(spec: Spec) -> Self {
        Self(World::new(spec), 10.0)
    }

    fn fleet() -> Self {
        Self::of(Spec::fleet(2, 3))
    }

    fn send(&mut self, method: &str, path: &str, query: &[(&str, &str)]) -> Delivery {
        let pairs = query.iter().map(|(name, value)| format!("{name}={}", super::super::escaped(value)));
        let text = pairs.collect::<Vec<_>>().join("&");
        let (uri, body) =
            if method == "POST" { (path.to_owned(), text) } else { (format!("{path}?{text}"), String::new()) };
        let request = http::Request::builder().method(method).uri(uri);
        let request = request.header("authorization", "Bearer token-main");
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body.into_bytes());
        let wall: jiff::Timestamp = NOON.parse().unwrap();
        let wall = wall + jiff::SignedDuration::try_from_secs_f64(self.1).unwrap();
        answer(&mut self.0, &request.unwrap(), WorldTime { wall, elapsed: self.1 })
    }

    fn json(&mut self, method: &str, path: &str, query: &[(&str, &str)]) -> Value {
        serde_json::from_slice(self.send(method, path, query).response.body()).unwrap()
    }

    fn get(&mut self, path: &str, query: &[(&str, &str)]) -> Value {
        self.json("GET", &format!("/v27.0/{path}"), query)
    }

    /// Of each row one field.
    fn column(&mut self, path: &str, query: &[(&str, &str)], field: &str) -> Vec<String> {
        let answer = self.get(path, query);
        let rows = answer["data"].as_array().unwrap_or_else(|| panic!("{query:?}: {answer}"));
        rows.iter().map(|row| row[field].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Status, code, subcode and message of a refusal.
    fn refusal(&mut self, method: &str, path: &str, query: &[(&str, &str)]) -> (u16, i64, i64, String) {
        let delivery = self.send(method, path, query);
        let body: Value = serde_json::from_slice(delivery.response.body()).unwrap();
        let error = &body["error"];
        let number = |name: &str| error[name].as_i64().unwrap_or_default();
        let message = error["message"].as_str().unwrap_or_else(|| panic!("{query:?}: {body}")).to_owned();
        (delivery.response.status().as_u16(), number("code"), number("error_subcode"), message)
    }
}

#[test]
fn nodes_and_listings_have_the_fields_that_are_asked_for() {
    let mut api = Asked::fleet();
    assert_eq!(api.get("act_1001", &[]), json!({"account_id": "1001", "id": "act_1001"}));
    let two = api.get("act_1001", &[("fields", "currency,timezone_offset_hours_utc")]);
    assert_eq!(two, json!({"currency": "EUR", "timezone_offset_hours_utc": 1.0, "id": "act_1001"}));
    assert_eq!(api.get("1001000001", &[]), json!({"id": "1001000001"}));
    assert_eq!(api.get("501001000001", &[("fields", "is_message_campaign")])["is_message_campaign"], true);
    assert_eq!(api.get("751001000001", &[("fields", "campaign_id")])["campaign_id"], "501001000001");
    let listed = api.get("act_1001/ads", &[("limit", "1"), ("fields", "name,campaign{id}")]);
    let ad = json!({"id": "1001000001", "name": "Campaign 1001000001", "campaign": {"id": "501001000001"}});
    assert_eq!(listed["data"], json!([ad]));
    assert_eq!(api.column("act_1001/campaigns", &[], "id"), ["501001000001", "501001000002", "501001000003"]);
    assert_eq!(api.column("act_1001/adsets", &[("limit", "1")], "id"), ["751001000001"]);
    assert_eq!(api.get("me", &[]), json!({"id": "9", "name": "main"}));
    assert_eq!(api.column("me/adaccounts", &[("fields", "name")], "name"), ["Account 1001", "Account 1002"]);
    let (_, code, _, message) = api.refusal("GET", "/v27.0/act_1001", &[("fields", "colour")]);
    assert_eq!(
        (code, message.as_str()),
        (100, "(#100) Tried accessing nonexisting field (colour) on node type (AdAccount)")
    );
}

#[test]
fn a_window_may_be_cut_into_days_that_sum_to_it() {
    let mut api = Asked::fleet();
    let fields =
        ("fields", "ad_id,marketing_messages_delivered,marketing_messages_link_btn_click,marketing_messages_spend");
    let window = ("time_range", r#"{"since":"2026-11-05","until":"2026-11-18"}"#);
    for (level, path) in [("ad", "act_1001/insights"), ("account", "act_1001/insights"), ("ad", "1001000002/insights")]
    {
        for metric in ["delivered", "link_btn_click", "spend"].map(|name| format!("marketing_messages_{name}")) {
            let base = [fields, window, ("level", level), ("limit", "500")];
            let whole: Vec<_> = api.column(path, &base, &metric);
            let daily = api.column(path, &[&base[..], &[("time_increment", "1")]].concat(), &metric);
            assert_eq!(daily.len(), 14 * whole.len(), "{level} {path}");
            let sum = |texts: &[String]| texts.iter().map(|text| text.parse::<f64>().unwrap()).sum::<f64>();
            assert!((sum(&whole) - sum(&daily)).abs() < 0.001, "{level} {path} {metric}: {whole:?} {daily:?}");
        }
    }
    let days = api.get("1001000001/insights", &[fields, window, ("time_increment", "10"), ("limit", "1")]);
    assert_eq!(days["data"][0]["date_start"], "2026-11-05");
    assert_eq!(days["data"][0]["date_stop"], "2026-11-14");
    let after = days["paging"]["cursors"]["after"].as_str().unwrap();
    let last =
        api.column("1001000001/insights", &[fields, window, ("time_increment", "10"), ("after", after)], "date_start");
    assert_eq!(last, ["2026-11-15"]);
}

#[test]
fn a_noisy_window_is_the_sum_of_its_days_too() {
    let mut spec = Spec::demo();
    (spec.demo, spec.tokens[0].text) = (false, "token-main".into());
    let mut api = Asked::of(spec);
    let fields = ("fields", "marketing_messages_delivered,marketing_messages_spend");
    let base = [fields, ("date_preset", "last_14d"), ("level", "ad"), ("limit", "500")];
    let sum = |texts: Vec<String>| texts.iter().map(|text| text.parse::<f64>().unwrap_or_default()).sum::<f64>();
    for (metric, off) in [("marketing_messages_delivered", 0.0), ("marketing_messages_spend", 2.0)] {
        let whole = sum(api.column("act_2398765432/insights", &base, metric));
        let daily =
            sum(api.column("act_2398765432/insights", &[&base[..], &[("time_increment", "1")]].concat(), metric));
        // Each row is rounded to cents.
        assert!(whole > 1000.0 && (whole - daily).abs() <= off, "{metric}: {whole} {daily}");
    }
}

#[test]
fn days_without_delivery_have_no_row() {
    let mut spec = Spec::fleet(1, 2);
    spec.accounts[0].campaigns[0].age_days = 2;
    spec.accounts[0].campaigns[1].story = Story::Silent;
    let query = [("level", "ad"), ("date_preset", "last_7d"), ("time_increment", "1")];
    assert_eq!(Asked::of(spec).column("act_1001/insights", &query, "date_start"), ["2026-11-16", "2026-11-17"]);
}

#[test]
fn rows_are_filtered_and_ordered_as_asked() {
    let mut api = Asked::fleet();
    let query = |more: &[(&'static str, &'static str)]| {
        [&[("fields", "ad_id,marketing_messages_delivered"), ("level", "ad"), ("date_preset", "last_7d")], more]
            .concat()
    };
    let ids = |api: &mut Asked, more: &[(&'static str, &'static str)]| {
        api.column("act_1001/insights", &query(more), "ad_id")
            .iter()
            .map(|id| id.chars().skip(9).collect::<String>())
            .collect::<String>()
    };
    assert_eq!(ids(&mut api, &[]), "123");
    assert_eq!(ids(&mut api, &[("sort", "marketing_messages_delivered_descending")]), "231");
    assert_eq!(ids(&mut api, &[("sort", r#"["ad_id_descending"]"#)]), "321");
    assert_eq!(
        ids(&mut api, &[("filtering", r#"[{"field":"campaign.id","operator":"IN","value":["501001000002"]}]"#)]),
        "2"
    );
    assert_eq!(ids(&mut api, &[("filtering", r#"[{"field":"ad.id","operator":"EQUAL","value":1001000003}]"#)]), "3");
    let delivered = api.column("act_1001/insights", &query(&[]), "marketing_messages_delivered");
    let above =
        format!(r#"[{{"field":"marketing_messages_delivered","operator":"GREATER_THAN","value":{}}}]"#, delivered[0]);
    let shown = api.column("act_1001/insights", &[&query(&[])[..], &[("filtering", above.as_str())]].concat(), "ad_id");
    assert_eq!(shown.len(), 2);
    // An account sums up what is filtered.
    let filter = r#"[{"field":"ad.id","operator":"IN","value":["1001000001"]}]"#;
    let totals = [("fields", "marketing_messages_delivered"), ("date_preset", "last_7d"), ("filtering", filter)];
    assert_eq!(api.column("act_1001/insights", &totals, "marketing_messages_delivered"), delivered[..1]);
}

#[test]
fn what_an_account_sums_up_includes_what_is_archived() {
    let mut api = Asked::fleet();
    let query = [("fields", "marketing_messages_delivered"), ("date_preset", "last_7d")];
    let before = api.column("act_1001/insights", &query, "marketing_messages_delivered");
    api.0.spec.accounts[0].campaigns[0].status = "ARCHIVED".into();
    assert_eq!(api.column("act_1001/insights", &query, "marketing_messages_delivered"), before);
    let ads = [("level", "ad"), ("date_preset", "last_7d")];
    assert_eq!(api.column("act_1001/insights", &ads, "date_stop").len(), 2);
}

#[test]
fn fields_of_the_sdk_are_known() {
    let mut api = Asked::fleet();
    let fields = "clicks,reach,impressions,spend,ctr,marketing_messages_spend_currency,marketing_messages_media_view_rate,adset_id,objective";
    let row = &api.get("act_1001/insights", &[("level", "ad"), ("fields", fields)])["data"][0];
    assert_eq!((&row["marketing_messages_spend_currency"], &row["adset_id"]), (&json!("EUR"), &json!("751001000001")));
    assert!(row["clicks"].is_string() && row["reach"] == row["impressions"] && row["ctr"].is_string(), "{row}");
}

#[test]
fn what_is_wrong_or_not_simulated_is_refused_by_name() {
    let mut api = Asked::fleet();
    for (name, value, code, part) in [
        ("breakdowns", r#"["age"]"#, 100, "(#100) `breakdowns`: age is not simulated"),
        ("action_breakdowns", r#"["action_device"]"#, 100, "`action_breakdowns`: action_device"),
        ("action_attribution_windows", r#"["1d_click"]"#, 100, "`action_attribution_windows`: 1d_click"),
        ("summary", "spend", 100, "`summary`: spend"),
        ("default_summary", "true", 100, "`default_summary`: true"),
        ("level", "page", 100, "level must be one of the following values: ad, adset, campaign, account"),
        ("limit", "0", 100, "param limit must be a positive integer"),
        ("sort", "spend", 100, "sort must be a field followed by"),
        ("sort", "colour_ascending", 100, "colour is not a valid field for sort"),
        ("time_increment", "0", 100, "time_increment must be"),
        ("colour", "red", 100, "The parameter `colour` is not simulated"),
        ("before", "Q0ZDZD", 100, "The parameter `before` is not simulated"),
        ("fields", "spend,colour", 100, "(#100) colour are not valid for fields param."),
        (
            "filtering",
            r#"[{"field":"colour","operator":"EQUAL","value":"red"}]"#,
            100,
            "Filtering field colour is invalid",
        ),
        ("date_preset", "lifetime", 100, "date_preset must be one of"),
        ("date_format", "U", 100, "date_format query parameter is deprecated"),
    ] {
        let told = api.refusal("GET", "/v27.0/act_1001/insights", &[(name, value)]);
        assert_eq!((told.0, told.1), (400, code), "{name}={value}: {told:?}");
        assert!(told.3.contains(part), "{name}={value}: {told:?}");
    }
    let told = api.refusal("GET", "/v27.0/1001000001/insights", &[("level", "account")]);
    assert!(told.3.contains("`level`: account of an object below it is not simulated"), "{told:?}");
    let told = api.refusal("GET", "/v27.0/act_1001/ads", &[("effective_status", r#"["ODD"]"#)]);
    assert!(told.3.contains("effective_status must be one of"), "{told:?}");
    let harmless = [("use_unified_attribution_setting", "true"), ("action_breakdowns", r#"["action_type"]"#)];
    assert!(api.get("act_1001/insights", &harmless)["data"].is_array());
}

#[test]
fn other_methods_change_nothing() {
    let mut api = Asked::fleet();
    for (method, status, code, subcode) in [("DELETE", 403, 294, 0), ("POST", 403, 294, 0), ("PUT", 400, 100, 33)] {
        let told = api.refusal(method, "/v27.0/1001000001", &[]);
        assert_eq!((told.0, told.1, told.2), (status, code, subcode), "{method}: {told:?}");
    }
    assert_eq!(api.refusal("GET", "/v27.0/1001000001", &[("method", "delete")]).1, 294);
    assert_eq!(api.json("POST", "/v27.0/1001000001", &[("method", "get")]), json!({"id": "1001000001"}));
}

#[test]
fn the_version_that_was_asked_for_answers() {
    let mut api = Asked::fleet();
    for version in ["v25.0", "v26.0", "v27.0"] {
        let delivery = api.send("GET", &format!("/{version}/act_1001"), &[]);
        assert_eq!(
            (delivery.response.status().as_u16(), &delivery.response.headers()["facebook-api-version"]),
            (200, &version.parse().unwrap())
        );
    }
    assert_eq!(api.refusal("GET", "/v24.0/act_1001", &[]).1, 2635);
    assert_eq!(api.refusal("GET", "/act_1001", &[]).1, 2635);
    assert_eq!(api.refusal("GET", "/v99.0/act_1001", &[]).1, 2500);
    assert_eq!(api.json("GET", "/v24.0/me", &[])["name"], "main", "only figures end that early");
    api.0.spec.upgrades_versions = true;
    let upgraded = api.send("GET", "/v24.0/act_1001", &[]);
    assert_eq!(upgraded.response.headers()["facebook-api-version"], "v25.0");
    let warning = upgraded.response.headers()["x-ad-api-version-warning"].to_str().unwrap();
    assert_eq!(warning, "The call has been auto-upgraded to v25.0 as v24.0 has been deprecated.");
}

#[test]
fn tokens_are_refused_as_the_api_refuses_them() {
    let mut api = Asked::fleet();
    api.0.spec.tokens[0].text = "token-other".into();
    let told = api.refusal("GET", "/v27.0/me", &[]);
    assert_eq!(told, (400, 190, 0, "Invalid OAuth access token - Cannot parse access token".into()));
    (api.0.spec.tokens[0].text, api.0.spec.tokens[0].refused) = ("token-main".into(), Some(463));
    let told = api.refusal("GET", "/v27.0/me", &[]);
    assert_eq!(told, (400, 190, 463, "Error validating access token: Session has expired.".into()));
}

#[test]
fn a_token_is_debugged_by_its_app_or_by_itself() {
    let mut api = Asked::fleet();
    api.0.spec.app = Some(("42".into(), "secret".into()));
    api.0.spec.proof = Proof::Optional;
    let own = api.get("debug_token", &[("input_token", "token-main")]);
    assert_eq!((&own["data"]["is_valid"], &own["data"]["app_id"]), (&json!(true), &json!("42")));
    let told = api.refusal("GET", "/v27.0/debug_token", &[("input_token", "token-other")]);
    assert!(told.1 == 100 && told.3.contains("You must provide an app access token"), "{told:?}");
    assert!(api.refusal("GET", "/v27.0/debug_token", &[]).3.contains("input_token is required"));
}

#[test]
fn a_spent_allowance_has_the_text_of_its_code() {
    let mut api = Asked::fleet();
    api.0.spec.accounts[0].allowance = Some(Allowance { score: 1.0, ..Allowance::LIMITED });
    api.0.spec.accounts[1].allowance = Some(Allowance { hourly: 1.0, ..Allowance::LIMITED });
    api.get("act_1001", &[]);
    assert_eq!(
        api.refusal("GET", "/v27.0/act_1001", &[]),
        (400, 17, 2_446_079, "(#17) User request limit reached".into())
    );
    api.get("act_1002", &[]);
    let (_, code, _, message) = api.refusal("GET", "/v27.0/act_1002/ads", &[]);
    assert!(
        code == 80_004 && message.starts_with("(#80004) There have been too many calls to this ad-account."),
        "{message}"
    );
    let (_, code, _, message) = api.refusal("GET", "/v27.0/act_1002/insights", &[]);
    assert!(code == 80_000 && message.starts_with("(#80000) There have been too many calls from this ad-account."));
}

#[test]
fn a_batch_answers_each_of_its_calls() {
    let mut api = Asked::fleet();
    let calls = json!([{"method": "GET", "relative_url": "act_1001?fields=currency"}, {"relative_url": "v26.0/77"},
        {"method": "POST", "relative_url": "act_1002/insights", "body": "level=ad"}, {"relative_url": "me", "method": "DELETE"}]);
    let answers = api.json("POST", "/v27.0/", &[("batch", &calls.to_string())]);
    let codes: Vec<_> = answers.as_array().unwrap().iter().map(|answer| answer["code"].as_u64().unwrap()).collect();
    assert_eq!(codes, [200, 400, 200, 400]);
    let body: Value = serde_json::from_str(answers[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({"currency": "EUR", "id": "act_1001"}));
    let version = |at: usize| {
        let headers = answers[at]["headers"].as_array().unwrap();
        headers.iter().find(|header| header["name"] == "facebook-api-version").unwrap()["value"].clone()
    };
    assert_eq!((version(0), version(1)), (json!("v27.0"), json!("v26.0")));
    assert_eq!(api.0.statistics.endpoints["account"], 1);
    assert_eq!(api.0.statistics.total, 5, "each counts, and the batch that brought them");
    let none = api.json("POST", "/v27.0", &[("batch", r#"[{"relative_url": "me"}]"#), ("include_headers", "false")]);
    assert!(none[0]["headers"].is_null() && none[0]["code"] == 200, "{none}");
    let many = json!(vec![json!({"relative_url": "me"}); 51]).to_string();
    assert!(api.refusal("POST", "/v27.0/", &[("batch", &many)]).3.contains("Maximum batch size is 50"));
    let odd = r#"[{"relative_url": "me", "depends_on": "x"}]"#;
    assert!(api.refusal("POST", "/v27.0/", &[("batch", odd)]).3.contains("`batch`: depends_on is not simulated"));
}

#[test]
fn a_report_run_is_asked_for_watched_and_read() {
    let mut api = Asked::fleet();
    let question = [("level", "ad"), ("fields", "ad_id,marketing_messages_delivered"), ("date_preset", "today")];
    assert_eq!(api.refusal("POST", "/v27.0/act_1001/insights", &[("level", "page")]).1, 100);
    let run = api.json("POST", "/v27.0/act_1001/insights", &question)["report_run_id"].as_str().unwrap().to_owned();
    let rows = format!("{run}/insights");
    let mut seen = Vec::new();
    for seconds in [0.0, 1.0, 2.0, 3.0, 4.0] {
        api.1 = 10.0 + seconds;
        let status = api.get(&run, &[]);
        seen.push(format!("{} {}", status["async_status"].as_str().unwrap(), status["async_percent_completion"]));
        let told = api.send("GET", &format!("/v27.0/{rows}"), &[]).response.status().as_u16();
        assert_eq!(told, if seconds < 4.0 { 400 } else { 200 }, "after {seconds} s");
    }
    assert_eq!(seen, ["Job Not Started 0", "Job Started 0", "Job Running 66", "Job Running 100", "Job Completed 100"]);
    let expected = api.column("act_1001/insights", &question, "marketing_messages_delivered");
    assert_eq!(api.column(&rows, &[], "marketing_messages_delivered"), expected);
    api.1 = 600.0;
    assert_eq!(api.column(&rows, &[], "marketing_messages_delivered"), expected, "figures are those of its end");
    let page = api.get(&rows, &[("limit", "2")]);
    let next = page["paging"]["next"].as_str().unwrap();
    assert!(page["data"].as_array().unwrap().len() == 2 && !next.contains("level"), "{next}");
    assert_eq!(api.get(&run, &[("fields", "date_stop")]), json!({"date_stop": "2026-11-18", "id": run}));
    api.1 = 31.0 * 86_400.0;
    assert_eq!(api.refusal("GET", &format!("/v27.0/{run}"), &[]).2, 33);
}

#[test]
fn a_report_that_is_not_ready_is_a_temporary_error() {
    let mut api = Asked::fleet();
    let run = api.json("POST", "/v27.0/act_1001/insights", &[])["report_run_id"].as_str().unwrap().to_owned();
    let answer = api.get(&format!("{run}/insights"), &[]);
    let error = &answer["error"];
    assert_eq!(
        (&error["code"], &error["error_subcode"], &error["is_transient"]),
        (&json!(2601), &json!(1_815_107), &json!(true))
    );
}
