//! Rust sources as tokens, for rules that must not mistake a comment or a string for code.

use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, tokenize};

/// What the rules need of a source file.
pub struct Source<'t> {
    /// Without comments and white space.
    pub code: Vec<Token<'t>>,
    /// `//` comments that are not documentation; their text starts behind the slashes.
    pub comments: Vec<Token<'t>>,
    pub lines: Vec<&'t str>,
}

#[derive(Clone, Copy)]
pub struct Token<'t> {
    pub text: &'t str,
    /// Counted from one. A token that spans lines is on its first.
    pub line: usize,
    pub is_word: bool,
}

impl<'t> Source<'t> {
    pub fn new(text: &'t str) -> Self {
        let mut source = Self { code: vec![], comments: vec![], lines: text.lines().collect() };
        let (mut at, mut line) = (0, 1);
        for token in tokenize(text, FrontmatterAllowed::No) {
            let text = &text[at..at + token.len as usize];
            let is_word = matches!(token.kind, TokenKind::Ident | TokenKind::RawIdent);
            match token.kind {
                TokenKind::Whitespace
                | TokenKind::BlockComment { .. }
                | TokenKind::LineComment { doc_style: Some(_) } => {}
                TokenKind::LineComment { doc_style: None } => {
                    let text = text.trim_start_matches('/');
                    source.comments.push(Token { text, line, is_word });
                }
                _ => source.code.push(Token { text, line, is_word }),
            }
            at += text.len();
            line += text.matches('\n').count();
        }
        source
    }

    pub fn declares_fn(&self, name: &str) -> bool {
        self.code.windows(2).any(|pair| pair[0].is("fn") && pair[1].is(name))
    }

    /// The comment lines that speak for the code on `line`: at its end, or above it with neither
    /// a blank line, nor a closed block, nor more than `reach` lines of code between.
    pub fn has_comment(&self, line: usize, tag: &str, reach: usize) -> bool {
        let tagged = |line: usize| {
            let mut here = self.comments.iter().filter(|comment| comment.line == line);
            here.any(|comment| comment.text.trim_start().starts_with(tag))
        };
        let mut between = 0;
        for above in (1..=line).rev() {
            let text = self.lines[above - 1].trim();
            if tagged(above) {
                return true;
            }
            let closed = text.starts_with('}') && !text.starts_with("} else") && above < line;
            let apart = text.is_empty() || closed;
            between += usize::from(!text.starts_with("//"));
            if apart || between > reach {
                return false;
            }
        }
        false
    }
}

impl Token<'_> {
    pub fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_are_no_code() {
        let text =
            "/* unsafe */ let s = \"// unsafe\\\" unsafe\"; // unsafe\n/// unsafe\nfn f() {}";
        let source = Source::new(text);
        assert!(!source.code.iter().any(|token| token.is("unsafe")));
        assert_eq!(source.comments.len(), 1);
        assert!(source.declares_fn("f") && !source.declares_fn("s"));
    }

    #[test]
    fn lines_are_counted_through_everything() {
        let source = Source::new("/* a\nb */\nlet x = r#\"\n\"#;\nlast");
        let last = source.code.last().expect("there is code");
        assert_eq!((last.text, last.line), ("last", 5));
    }

    #[test]
    fn a_comment_speaks_for_the_code_below_it() {
        let speaks = |text: &str| Source::new(text).has_comment(text.lines().count(), "TAG:", 3);
        assert!(speaks("// TAG: why\nx()"));
        assert!(speaks("x() // TAG: why"));
        assert!(speaks("// TAG: why\n// and\n// more\n// of\n// it\na\nb\nx()"));
        assert!(!speaks("// TAG: why\na\nb\nc\nx()"));
        assert!(speaks("// TAG: why\nif a {\n} else {\n    x()"));
        assert!(!speaks("// TAG: why\n\nx()"));
        assert!(!speaks("// TAG: why\na {\n}\nx()"));
        assert!(!speaks("// why: TAG: of another\nx()"));
        assert!(!speaks("let s = \"// TAG: why\";\nx()"));
    }
}
