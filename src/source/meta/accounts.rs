//! Which ad accounts a token can see.

use http::{HeaderMap, Request};

use super::{Cursor, Graph, NAMES, Page, Received, RequestContext, Target, discovery, usage};
use crate::domain::budget::Usage;
use crate::domain::fault::Fault;
use crate::source::json::Keep;

const FIELDS: &str = "account_id,name,currency,account_status";

/// The two ways to ask for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// What any token's user can see.
    Visible,
    /// What a system user was assigned.
    Assigned,
}

/// The ad accounts of a token.
#[derive(Debug)]
pub(super) struct AccountsTarget {
    graph: Graph,
    edge: Edge,
}

impl AccountsTarget {
    /// The accounts by one of the two edges.
    pub(super) fn new(graph: Graph, edge: Edge) -> Self {
        Self { graph, edge }
    }
}

impl Target for AccountsTarget {
    fn endpoint(&self) -> &'static str {
        "accounts"
    }

    fn request(&self, asked: &RequestContext<'_>) -> Result<Request<Vec<u8>>, Fault> {
        let path = match self.edge {
            Edge::Visible => "me/adaccounts",
            Edge::Assigned => "me/assigned_ad_accounts",
        };
        let mut parameters = vec![("fields", FIELDS.to_owned()), ("limit", asked.limit.to_string())];
        if let Some(cursor) = asked.cursor {
            parameters.push(("after", cursor.0.clone()));
        }
        self.graph.get(path, parameters, asked)
    }

    fn read(&self, answer: Received<'_>, _: Option<&Cursor>) -> Result<Page, Fault> {
        super::listed(answer, Keep::only(&NAMES), |page, object| {
            let account = object.and_then(|object| Some((discovery::account_id(&object)?, object)));
            // Without its id an account cannot be asked for anything; it is counted as a row that could not be
            // read.
            let Some((id, object)) = account else { return false };
            page.accounts.insert(id, discovery::account_facts(&object, answer));
            true
        })
    }

    fn usage(&self, headers: &HeaderMap) -> Vec<Usage> {
        usage::read(headers)
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;
    use crate::domain::metric::MetricSet;
    use crate::source::{Keys, Redactor};

    fn target(edge: Edge) -> AccountsTarget {
        AccountsTarget::new(Graph { base_url: "http://127.0.0.1".into(), version: "v26.0".into() }, edge)
    }

    #[test]
    fn both_edges_are_asked_by_page_and_without_the_token_in_the_url() {
        let keys = Keys::Meta { token: "hush".into(), app_secret: None, app_id: None };
        let cursor = Cursor("abc=".to_owned());
        for (edge, cursor, expected) in [
            (Edge::Visible, None, "me/adaccounts?fields=account_id%2Cname%2Ccurrency%2Caccount_status&limit=500"),
            (
                Edge::Assigned,
                Some(&cursor),
                "me/assigned_ad_accounts?fields=account_id%2Cname%2Ccurrency%2Caccount_status&limit=500&after=abc%3D",
            ),
        ] {
            let at = jiff::Timestamp::UNIX_EPOCH;
            let asked = RequestContext { cursor, limit: 500, at, nonce: 1, keys: &keys, metrics: MetricSet::NONE };
            let request = target(edge).request(&asked).unwrap();
            assert_eq!(request.uri().to_string(), format!("http://127.0.0.1/v26.0/{expected}"));
            assert_eq!(request.headers()["authorization"], "Bearer hush");
        }
    }

    #[test]
    fn accounts_are_read_and_what_has_no_id_is_left_out() {
        let body = r#"{"data":[{"id":"act_7","account_id":"7","name":"A","currency":"EUR","account_status":2},{"name":"B"}],
            "paging":{"cursors":{"after":"c"},"next":"https://elsewhere"}}"#;
        let read = |body: &str| {
            let response = Response::new(body.as_bytes().to_vec().into());
            target(Edge::Visible).read(Received { response: &response, redactor: &Redactor::default() }, None)
        };
        let page = read(body).unwrap();
        let seen: Vec<_> =
            page.accounts.iter().map(|(id, facts)| (id.to_string(), &*facts.name, &*facts.status)).collect();
        assert_eq!(seen, [("7".to_owned(), "A", "DISABLED")]);
        assert_eq!(page.next, Some(Cursor("c".to_owned())));
        assert!(read(r#"{"error":{"message":"m","code":190}}"#).is_err());
    }
}
