//! What is required of clients, and whether one configuration is less strict than another. Only this file
//! compares them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::settings::discreet;

/// What a client has to show before it is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asks {
    /// `None` serves plain HTTP.
    pub(super) tls: Option<Arc<TlsAsks>>,
    /// Who may log in; `None` lets everybody in.
    pub(super) users: Option<BTreeSet<String>>,
    /// The least time between two requests, and how many may come at once; `None` has no limit.
    pub(super) rate: Option<(Duration, u32)>,
}

/// What a connection is made under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct TlsAsks {
    /// The oldest version of TLS that is spoken, by its place in the list of versions.
    pub(super) oldest: usize,
    /// Names of the cipher suites.
    pub(super) suites: BTreeSet<String>,
    /// Names of the elliptic curves.
    pub(super) curves: BTreeSet<String>,
    /// `None` asks for no certificate.
    pub(super) certificates: Option<Certificates>,
}

/// What is asked of a client's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Certificates {
    /// Whether a client without one is refused.
    pub(super) mandatory: bool,
    /// The authorities that may have signed it, as DER; `None` takes any.
    pub(super) authorities: Option<BTreeSet<Vec<u8>>>,
    /// Names of which it must hold one; `None` takes any.
    pub(super) names: Option<BTreeSet<String>>,
}

/// What the new configuration does not ask any more: empty if every client that it answers was answered
/// before, too. A user's other password is the same user.
pub(super) fn given_up(former: &Asks, new: &Asks) -> Vec<String> {
    let mut given_up = Vec::new();
    match (&former.tls, &new.tls) {
        (None, _) => {}
        (Some(former), None) => {
            given_up.push("tls_server_config: clients may speak plain HTTP".to_owned());
            // Certificates go with TLS: what is given up is said in full.
            of_certificates(former.certificates.as_ref(), None, &mut given_up);
        }
        (Some(former), Some(new)) => of_tls(former, new, &mut given_up),
    }
    match (&former.users, &new.users) {
        (None, _) => {}
        (Some(_), None) => given_up.push("basic_auth_users: no login is required".to_owned()),
        (Some(former), Some(new)) => further("basic_auth_users: additional users", former, new, &mut given_up),
    }
    match (former.rate, new.rate) {
        (None, _) => {}
        (Some(_), None) => given_up.push("rate_limit: there is no limit".to_owned()),
        (Some((former_interval, former_burst)), Some((interval, burst))) => {
            // Each alone lets more through; one that grew does not make up for the other.
            if interval < former_interval || burst > former_burst {
                given_up.push("rate_limit: more requests are answered".to_owned());
            }
        }
    }
    given_up
}

fn of_tls(former: &TlsAsks, new: &TlsAsks, given_up: &mut Vec<String>) {
    if new.oldest < former.oldest {
        given_up.push("tls_server_config.min_version: an older version is accepted".to_owned());
    }
    further("tls_server_config.cipher_suites: additional ones", &former.suites, &new.suites, given_up);
    further("tls_server_config.curve_preferences: additional ones", &former.curves, &new.curves, given_up);
    of_certificates(former.certificates.as_ref(), new.certificates.as_ref(), given_up);
}

fn of_certificates(former: Option<&Certificates>, new: Option<&Certificates>, given_up: &mut Vec<String>) {
    let Some(former) = former else { return };
    let any = Certificates::default();
    let new = new.unwrap_or(&any);
    if former.mandatory && !new.mandatory {
        given_up.push("tls_server_config.client_auth_type: no certificate is required".to_owned());
    }
    if let Some(former) = &former.authorities {
        match &new.authorities {
            None => given_up.push("tls_server_config.client_auth_type: certificates are not verified".to_owned()),
            Some(new) if new.is_subset(former) => {}
            Some(_) => given_up.push("tls_server_config.client_ca_file: additional authorities".to_owned()),
        }
    }
    match (&former.names, &new.names) {
        (None, _) => {}
        (Some(_), None) => given_up.push("tls_server_config.client_allowed_sans: every name is accepted".to_owned()),
        (Some(former), Some(new)) => {
            further("tls_server_config.client_allowed_sans: additional names", former, new, given_up);
        }
    }
}

/// Says what a list has that the former one has not.
fn further(what: &str, former: &BTreeSet<String>, new: &BTreeSet<String>, given_up: &mut Vec<String>) {
    let added: Vec<_> = new.difference(former).map(|name| discreet(name).escape_debug().to_string()).collect();
    if !added.is_empty() {
        given_up.push(format!("{what}: {}", added.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A client as far as it matters here.
    #[derive(Debug)]
    struct Client {
        /// The newest version of TLS that it speaks.
        tls: Option<usize>,
        suite: &'static str,
        curve: &'static str,
        /// Who signed its certificate, and the names in it.
        certificate: Option<(u8, BTreeSet<String>)>,
        user: Option<&'static str>,
        interval: u64,
        burst: u32,
    }

    /// What the words of the configuration mean, independently of how they are weighed.
    fn answers(asks: &Asks, client: &Client) -> bool {
        let certified = |certificates: &Certificates| match &client.certificate {
            None => !certificates.mandatory,
            Some((authority, names)) => {
                certificates.authorities.as_ref().is_none_or(|known| known.contains(&vec![*authority]))
                    && certificates.names.as_ref().is_none_or(|known| !known.is_disjoint(names))
            }
        };
        asks.tls.as_ref().is_none_or(|tls| {
            client.tls.is_some_and(|newest| newest >= tls.oldest)
                && tls.suites.contains(client.suite)
                && tls.curves.contains(client.curve)
                && tls.certificates.as_ref().is_none_or(certified)
        }) && asks.users.as_ref().is_none_or(|users| client.user.is_some_and(|user| users.contains(user)))
            && asks.rate.is_none_or(|(interval, burst)| {
                Duration::from_secs(client.interval) >= interval && client.burst <= burst
            })
    }

    fn clients() -> Vec<Client> {
        let mut certificates = vec![None];
        for authority in 1..=3 {
            for names in [&[][..], &["a"], &["b"], &["c"], &["a", "c"]] {
                certificates.push(Some((authority, names.iter().map(|name| (*name).to_owned()).collect())));
            }
        }
        let mut clients = Vec::new();
        for tls in [None, Some(0), Some(1)] {
            for (suite, curve) in [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")] {
                for certificate in &certificates {
                    for user in [None, Some("a"), Some("b"), Some("c")] {
                        for (interval, burst) in [(1, 1), (2, 1), (1, 2), (2, 2), (0, 9)] {
                            let certificate = certificate.clone();
                            clients.push(Client { tls, suite, curve, certificate, user, interval, burst });
                        }
                    }
                }
            }
        }
        clients
    }

    fn words(least: usize) -> impl Strategy<Value = BTreeSet<String>> {
        prop::collection::btree_set(prop::sample::select(vec!["a".to_owned(), "b".to_owned()]), least..=2)
    }

    fn asks() -> impl Strategy<Value = Asks> {
        let authorities = prop::collection::btree_set((1_u8..=2).prop_map(|authority| vec![authority]), 1..=2);
        let certificates = (any::<bool>(), prop::option::of(authorities), prop::option::of(words(1)));
        let certificates =
            certificates.prop_map(|(mandatory, authorities, names)| Certificates { mandatory, authorities, names });
        let tls = (0_usize..2, words(1), words(1), prop::option::of(certificates));
        let tls = tls.prop_map(|(oldest, suites, curves, certificates)| {
            Arc::new(TlsAsks { oldest, suites, curves, certificates })
        });
        let rate = (1_u64..=2, 1_u32..=2).prop_map(|(interval, burst)| (Duration::from_secs(interval), burst));
        (prop::option::of(tls), prop::option::of(words(1)), prop::option::of(rate))
            .prop_map(|(tls, users, rate)| Asks { tls, users, rate })
    }

    /// A pair of which the second differs in little, as files that are being edited do, or in everything.
    fn pairs() -> impl Strategy<Value = (Asks, Asks)> {
        (asks(), asks(), 0..7_u8).prop_map(|(former, other, part)| {
            let mut new = former.clone();
            match (part, &former.tls, &other.tls) {
                (0, ..) => new = other,
                (1, ..) => new.tls = other.tls,
                (2, ..) => new.users = other.users,
                (3, ..) => new.rate = other.rate,
                (part, Some(tls), Some(other)) => {
                    let mut tls = TlsAsks::clone(tls);
                    match part {
                        4 => tls.certificates.clone_from(&other.certificates),
                        5 => tls.oldest = other.oldest,
                        _ => (tls.suites, tls.curves) = (other.suites.clone(), other.curves.clone()),
                    }
                    new.tls = Some(Arc::new(tls));
                }
                _ => {}
            }
            (former, new)
        })
    }

    proptest! {
        #[test]
        fn less_is_asked_exactly_if_a_client_is_answered_that_was_not((former, new) in pairs()) {
            let newly = clients().into_iter().find(|client| answers(&new, client) && !answers(&former, client));
            let given_up = given_up(&former, &new);
            prop_assert_eq!(newly.is_some(), !given_up.is_empty(), "{:?}: {:?}", newly, given_up);
        }
    }

    /// A list without names lets no certificate in, so whatever else it asks, nobody new is answered.
    #[test]
    fn an_empty_list_of_names_is_the_strictest() {
        let names = |names: Option<&[&str]>| Asks {
            tls: Some(Arc::new(TlsAsks {
                certificates: Some(Certificates {
                    mandatory: true,
                    names: names.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
                    ..Certificates::default()
                }),
                ..TlsAsks::default()
            })),
            ..Asks::default()
        };
        assert!(given_up(&names(Some(&["a"])), &names(Some(&[]))).is_empty());
        assert_eq!(
            given_up(&names(Some(&[])), &names(Some(&["a"]))),
            ["tls_server_config.client_allowed_sans: additional names: a"]
        );
        assert_eq!(given_up(&names(Some(&[])), &names(None)).len(), 1);
    }
}
