//! Bodies that grow when they are read.

/// A body: a beginning, what is repeated as far as there is room, and an end.
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) begin: String,
    /// `#` is a number that is another each time.
    pub(super) again: String,
    pub(super) end: String,
}

/// The shapes of an API, whose list stands under this key.
pub(super) fn shapes(list: &str, id: &str, figure: &str) -> Vec<Shape> {
    let shape = |name: &str, begin: &str, again: &str, end: &str| Shape {
        name: name.to_owned(),
        begin: begin.replace("LIST", list),
        again: again.replace("ID", id).replace("FIGURE", figure),
        end: end.to_owned(),
    };
    vec![
        shape("numbers", r#"{"LIST":[0"#, ",0", "]}"),
        shape("empty rows", r#"{"LIST":[{}"#, ",{}", "]}"),
        shape("empty lists", r#"{"LIST":[[]"#, ",[]", "]}"),
        shape("empty texts", r#"{"LIST":[""#, r#"",""#, r#""]}"#),
        shape("small rows", r#"{"LIST":[0"#, r#",{"ID":"1#"}"#, "]}"),
        shape("good rows", r#"{"LIST":[0"#, r#",{"ID":"1#","FIGURE":"1","name":"n","CampaignName":"n"}"#, "]}"),
        shape("one row again and again", r#"{"LIST":[0"#, r#",{"ID":"1","FIGURE":"1"}"#, "]}"),
        shape("a wide row", r#"{"LIST":[{"a":0"#, r#","k#":0"#, "}]}"),
        shape("bad fields in one row", r#"{"LIST":[{"a":0"#, r#","FIGURE":"x""#, "}]}"),
        shape("figures in one row", r#"{"LIST":[{"a":0"#, r#","FIGURE":"1""#, "}]}"),
        shape(
            "actions",
            r#"{"LIST":[{"ad_id":"1","marketing_messages_spend":"1","actions":[{}"#,
            r#",{"action_type":"offsite_conversion.fb_pixel_lead","value":"x"}"#,
            "]}]}",
        ),
        shape("actions of nothing", r#"{"LIST":[{"actions":[{}"#, ",{}", "]}]}"),
        shape("a deep list", r#"{"LIST":[{"x":"#, "[", ""),
        shape("deep rows", r#"{"LIST":"#, r#"[{"x":"#, ""),
        shape("a deep object of a known name", r#"{"paging":"#, r#"{"paging":"#, ""),
        shape("a long name", r#"{"LIST":[{"ID":"1","name":""#, "n", r#""}]}"#),
        shape("a long name of escapes", r#"{"LIST":[{"ID":"1","CampaignName":""#, r"\u00e9", r#""}]}"#),
        shape("a long key of escapes", r#"{"LIST":[{""#, r"\u00e9", r#"":1}]}"#),
        shape("a long message", r#"{"Code":"Unheard","Message":"m","error":{"code":424242,"message":""#, "m", r#""}}"#),
        shape("a long code", r#"{"error":{"code":424242,"message":"m"},"Message":"m","Code":""#, "\\\"", r#""}"#),
        shape("errors", r#"{"a":0"#, r#","error":{"message":"m"},"Code":"x""#, "}"),
        shape("lists", r#"{"a":0"#, r#","LIST":[0]"#.replace("LIST", list).as_str(), "}"),
        shape("paging", r#"{"LIST":[],"paging":{"next":"u","cursors":{"after":""#, "A", r#""}}}"#),
        shape(
            "names of refused fields",
            r#"{"error":{"code":100,"message":"(#100) a"#,
            ", a",
            r#" are not valid for fields param."}}"#,
        ),
        shape("bad letters", r#"{"LIST":[{"ID":"1","name":""#, r"\ud800\q", r#""}]}"#),
        shape("an unfinished list", r#"{"LIST":[0"#, ",0", ""),
        shape("white space", r#"{"LIST":["#, " ", "]}"),
        shape("XML", "<Error><Code>", "x", "</Code></Error>"),
        shape("a number", r#"{"LIST":[{"ID":"#, "1", "}]}"),
    ]
}

/// Shapes that nobody thought of: pieces of the grammar, put together by chance.
pub(super) fn generated(seed: u64, list: &str, id: &str, figure: &str) -> Shape {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut dice = move |sides: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % sides as u64).unwrap()
    };
    let keys = [
        list,
        id,
        figure,
        "actions",
        "action_type",
        "value",
        "paging",
        "cursors",
        "error",
        "message",
        "name",
        "campaign",
        "Code",
        "k#",
    ];
    let mut value = String::from("0");
    for _ in 0..dice(5) {
        let key = keys[dice(keys.len())];
        value = match dice(6) {
            0 => format!("[{value},{value}]"),
            1 => format!(r#"{{"{key}":{value}}}"#),
            2 => format!(r#"{{"{id}":"1#","{figure}":"1","{key}":{value}}}"#),
            3 => r#""\n\n\n""#.to_owned(),
            4 => format!(r#"{{"{key}":{value},"{key}":{value}}}"#),
            _ => format!(r#"{{"offsite":[{value}],"{key}":""}}"#),
        };
    }
    let key = keys[dice(keys.len())];
    let (begin, again, end) = match dice(4) {
        0 => (format!(r#"{{"{list}":[0"#), format!(",{value}"), "]}".to_owned()),
        1 => (format!(r#"{{"{list}":[{{"{key}":[0"#), format!(",{value}"), "]}]}".to_owned()),
        2 => (format!(r#"{{"{list}":[{{"a":0"#), format!(r#","{key}":{value}"#), "}]}".to_owned()),
        _ => (r#"{"a":0"#.to_owned(), format!(r#","{key}":{value}"#), "}".to_owned()),
    };
    Shape { name: format!("generated {seed}: {again}"), begin, again, end }
}

impl Shape {
    /// The body, which has at most so many bytes.
    pub(super) fn body(&self, most: usize) -> Vec<u8> {
        let mut body = self.begin.clone();
        if let Some((start, end)) = self.again.split_once('#') {
            for number in 0.. {
                let piece = format!("{start}{}", format!("{number}{end}").replace('#', "0"));
                if body.len() + piece.len() + self.end.len() > most {
                    break;
                }
                body += &piece;
            }
        } else if !self.again.is_empty() {
            body += &self.again.repeat((most - body.len() - self.end.len()) / self.again.len());
        }
        body += &self.end;
        body.into_bytes()
    }
}
