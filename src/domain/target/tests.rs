//! What ids and codes may be, and what a target is called.

use super::*;

#[test]
fn ids_are_digits() {
    assert_eq!(AccountId::parse("act_2398765432").map(|id| id.to_string()).as_deref(), Ok("2398765432"));
    assert_eq!(CampaignId::parse("120201234567890").map(|id| id.to_string()).as_deref(), Ok("120201234567890"));
    for text in ["", "act_", "12a", "-1", "+1", "1.5", "01", "0", "99999999999999999999", "１２", " 1"] {
        assert_eq!(AccountId::parse(text), Err(NotAnId), "{text:?}");
    }
}

#[test]
fn currencies_are_three_capital_letters() {
    assert_eq!(Currency::parse("EUR").map(|c| c.as_str().to_owned()).as_deref(), Some("EUR"));
    for text in ["", "eur", "EURO", "E1R", "€"] {
        assert_eq!(Currency::parse(text), None, "{text:?}");
    }
}

#[test]
fn a_target_is_called_alike_by_labels_and_log() {
    let key = TargetKey {
        source: Source::META,
        account: AccountId::parse("7").ok(),
        subject: Subject::Campaigns,
        credential: "main".into(),
        part: 1,
        window: Window::Preset("today"),
    };
    let expected =
        [("source", "meta"), ("credential", "main"), ("account_id", "7"), ("target", "account_1"), ("window", "today")];
    assert_eq!(key.labels(), expected.map(|(name, value)| (name, value.into())));
    let single = TargetKey { account: None, ..key };
    assert_eq!(single.labels()[2], ("account_id", "".into()), "an unknown account has an empty label");
}
