//! As much of structured fields (RFC 9651) as limits are written in: lists of strings with
//! parameters.

/// An item of a list: a string, and its parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) name: String,
    parameters: Vec<(String, Value)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Value {
    Integer(i64),
    String(String),
    /// Of a type that nobody asks for.
    Other,
}

impl Item {
    /// The integer of this name, if it is one and not negative.
    pub(super) fn count(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Integer(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        // Of a name that is there twice, the last counts.
        self.parameters.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// A string as it is written; `None` if it has other than printable ASCII characters.
pub(super) fn quote(text: &str) -> Option<String> {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => return None,
        }
    }
    quoted.push('"');
    Some(quoted)
}

/// A list of strings with parameters; `None` if it is anything else, which has to be ignored as a
/// whole. A token is taken for a string: some servers forget the quotes.
pub(super) fn parse_list(field: &str) -> Option<Vec<Item>> {
    let mut input = Input(field.trim_matches(' '));
    let mut items = Vec::new();
    while !input.0.is_empty() {
        items.push(input.item()?);
        input.skip(&[' ', '\t']);
        if input.0.is_empty() {
            break;
        }
        input.expect(',')?;
        input.skip(&[' ', '\t']);
        // A comma stands between two.
        input.peek()?;
    }
    Some(items)
}

/// What is left to be read.
struct Input<'a>(&'a str);

impl<'a> Input<'a> {
    fn peek(&self) -> Option<char> {
        self.0.chars().next()
    }

    fn skip(&mut self, chars: &[char]) {
        self.0 = self.0.trim_start_matches(chars);
    }

    fn expect(&mut self, c: char) -> Option<()> {
        self.0 = self.0.strip_prefix(c)?;
        Some(())
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !is_part(c)).unwrap_or(self.0.len());
        let (part, rest) = self.0.split_at(end);
        self.0 = rest;
        part
    }

    fn item(&mut self) -> Option<Item> {
        let name = match self.peek()? {
            '"' => self.string()?,
            _ => self.token()?,
        };
        let mut parameters = Vec::new();
        while self.expect(';').is_some() {
            self.skip(&[' ']);
            let key = self.key()?;
            // A bare name is a boolean.
            let value = if self.expect('=').is_some() { self.value()? } else { Value::Other };
            parameters.push((key, value));
        }
        Some(Item { name, parameters })
    }

    fn key(&mut self) -> Option<String> {
        self.peek().filter(|c| c.is_ascii_lowercase() || *c == '*')?;
        let is_part = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.' | '*')
        };
        Some(self.take_while(is_part).to_owned())
    }

    fn value(&mut self) -> Option<Value> {
        match self.peek()? {
            '"' => self.string().map(Value::String),
            '-' | '0'..='9' => self.number(),
            ':' => {
                self.expect(':')?;
                self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='));
                self.expect(':').map(|()| Value::Other)
            }
            '?' => {
                self.expect('?')?;
                self.expect('0').or_else(|| self.expect('1')).map(|()| Value::Other)
            }
            // A date.
            '@' => {
                self.expect('@')?;
                matches!(self.number()?, Value::Integer(_)).then_some(Value::Other)
            }
            // A string of other characters, written in hexadecimal.
            '%' => {
                self.expect('%')?;
                self.string().map(|_| Value::Other)
            }
            _ => self.token().map(|_| Value::Other),
        }
    }

    fn string(&mut self) -> Option<String> {
        self.expect('"')?;
        let mut text = String::new();
        let mut chars = self.0.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => text.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
                c @ ' '..='~' => text.push(c),
                _ => return None,
            }
        }
        self.0 = chars.as_str();
        Some(text)
    }

    fn token(&mut self) -> Option<String> {
        self.peek().filter(|c| c.is_ascii_alphabetic() || *c == '*')?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(c);
        Some(self.take_while(is_part).to_owned())
    }

    /// At most fifteen digits; with a point, a decimal of at most twelve and three.
    fn number(&mut self) -> Option<Value> {
        let sign = if self.expect('-').is_some() { -1 } else { 1 };
        let digits = self.take_while(|c| c.is_ascii_digit());
        if self.expect('.').is_some() {
            let places = self.take_while(|c| c.is_ascii_digit());
            let is_decimal = (1..=12).contains(&digits.len()) && (1..=3).contains(&places.len());
            return is_decimal.then_some(Value::Other);
        }
        let number: i64 = digits.parse().ok().filter(|_| digits.len() <= 15)?;
        Some(Value::Integer(sign * number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(field: &str) -> Option<Vec<String>> {
        Some(parse_list(field)?.into_iter().map(|item| item.name).collect())
    }

    #[test]
    fn lists_of_strings_are_read() {
        assert_eq!(names(""), Some(vec![]));
        assert_eq!(names(r#""a""#), Some(vec!["a".into()]));
        assert_eq!(names(" \"a\" ,\t\"b\";q=1 "), Some(vec!["a".into(), "b".into()]));
        assert_eq!(names(r#""\"\\ ,;""#), Some(vec![r#""\ ,;"#.into()]));
        assert_eq!(names("default;r=1, *x"), Some(vec!["default".into(), "*x".into()]));
    }

    #[test]
    fn what_is_no_list_of_strings_is_nothing() {
        for field in [
            "\"a",
            "\"a\",",
            ",\"a\"",
            "\"a\" \"b\"",
            "\"\\a\"",
            "\"\u{e4}\"",
            "1",
            "-",
            "?1",
            ":YQ==:",
            "(\"a\" \"b\")",
            "\"a\";",
            "\"a\";R=1",
            "\"a\";1",
            "\"a\";r=",
            "\"a\" ;r=1",
            "\"a\";r =1",
            "\"a\";r=--1",
            "\"a\";r=1234567890123456",
            "\"a\";r=1.",
            "\"a\";r=.5",
            "\"a\";r=1.2345",
            "\"a\";r=?2",
            "\"a\";r=:YQ==",
            "\"a\";r=@1.5",
            "\"a\";r=(1 2)",
            "\"a\"=1",
        ] {
            assert_eq!(parse_list(field), None, "{field}");
        }
    }

    #[test]
    fn parameters_are_read_and_others_passed_over() {
        let field =
            r#""a"; r=50;t=30;x;d=1.5;b=?0;y=:cHs=:;w=@9;s=%"%c3";k=tok/en;qu="bytes";*=-7"#;
        let [item] = &parse_list(field).expect("it is a list")[..] else { panic!("it is one") };
        assert_eq!((item.count("r"), item.count("t")), (Some(50), Some(30)));
        assert_eq!(item.text("qu"), Some("bytes"));
        for name in ["x", "d", "b", "y", "w", "s", "k", "*", "qu", "absent"] {
            assert_eq!(item.count(name), None, "{name}");
        }
        let twice = parse_list("\"a\";r=1;r=2").expect("it is a list");
        assert_eq!(twice[0].count("r"), Some(2), "the last counts");
    }

    #[test]
    fn what_is_quoted_is_read_back() {
        for text in ["", "default", "per key", r#"\"quoted\""#, "~!@#$%^&*()"] {
            let quoted = quote(text).expect("it is printable");
            assert_eq!(names(&quoted), Some(vec![text.to_owned()]));
        }
        assert_eq!(quote("caf\u{e9}"), None);
        assert_eq!(quote("a\r\nSet-Cookie: b"), None);
    }
}
