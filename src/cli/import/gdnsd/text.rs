//! gdnsd's configuration language: nested tables, lists and texts.

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Text(String),
    List(Vec<Self>),
    Table(Vec<(String, Self)>),
}

/// Tables and lists inside each other; beyond it the text is refused.
const DEPTH_MAX: usize = 64;

impl Node {
    /// A key's value.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The entries of a table; none of anything else.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Table(entries) => entries,
            Self::Text(_) | Self::List(_) => &[],
        }
    }

    /// A text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) | Self::Table(_) => None,
        }
    }

    /// Texts of a list; a single text is a list of one.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::List(items) => items.iter().filter_map(Self::text).collect(),
            Self::Table(_) => Vec::new(),
        }
    }
}

/// Reads a whole text: a table without its braces.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let mut reader = Reader { rest: text, line: 1 };
    let table = reader.table(0)?;
    reader.blank();
    if reader.rest.is_empty() { Ok(table) } else { Err(reader.wrong("a bracket that nothing opened")) }
}

struct Reader<'t> {
    rest: &'t str,
    line: usize,
}

impl Reader<'_> {
    fn wrong(&self, what: &str) -> String {
        format!("line {}: {what}", self.line)
    }

    fn skip(&mut self, count: usize) {
        self.line += self.rest[..count].matches('\n').count();
        self.rest = &self.rest[count..];
    }

    /// Steps over blanks, commas and comments.
    fn blank(&mut self) {
        loop {
            let blank = self.rest.len() - self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',').len();
            self.skip(blank);
            if !self.rest.starts_with(['#', ';']) {
                return;
            }
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
    }

    fn table(&mut self, depth: usize) -> Result<Node, String> {
        let mut entries = Vec::new();
        loop {
            self.blank();
            if self.rest.is_empty() || self.rest.starts_with('}') {
                return Ok(Node::Table(entries));
            }
            if self.rest.starts_with("$include") {
                return Err(self.wrong("`$include` is not followed; put the files together first"));
            }
            let key = self.word()?;
            self.blank();
            if !self.rest.starts_with("=>") {
                return Err(self.wrong(&format!("`=>` is missing behind `{key}`")));
            }
            self.skip(2);
            let value = self.value(depth + 1)?;
            entries.push((key, value));
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, String> {
        if DEPTH_MAX < depth {
            return Err(self.wrong("too many brackets inside each other"));
        }
        self.blank();
        if self.rest.starts_with('{') {
            self.skip(1);
            let table = self.table(depth)?;
            return self.close('}', table);
        }
        if self.rest.starts_with('[') {
            self.skip(1);
            let mut items = Vec::new();
            loop {
                self.blank();
                if self.rest.is_empty() || self.rest.starts_with(']') {
                    return self.close(']', Node::List(items));
                }
                items.push(self.value(depth + 1)?);
            }
        }
        if self.rest.starts_with("$include") {
            return Err(self.wrong("`$include` is not followed; put the files together first"));
        }
        Ok(Node::Text(self.word()?))
    }

    fn close(&mut self, bracket: char, node: Node) -> Result<Node, String> {
        self.blank();
        if !self.rest.starts_with(bracket) {
            return Err(self.wrong(&format!("`{bracket}` is missing")));
        }
        self.skip(1);
        Ok(node)
    }

    fn word(&mut self) -> Result<String, String> {
        if let Some(quoted) = self.rest.strip_prefix('"') {
            let mut text = String::new();
            let mut escaped = false;
            for (at, c) in quoted.char_indices() {
                match c {
                    c if escaped => {
                        text.push(c);
                        escaped = false;
                    }
                    '\\' => escaped = true,
                    '"' => {
                        self.skip(at + 2);
                        return Ok(text);
                    }
                    c => text.push(c),
                }
            }
            return Err(self.wrong("a quote is not closed"));
        }
        let ends = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | '[' | ']' | ',' | ';' | '#' | '"');
        let stop = self.rest.find(ends).unwrap_or(self.rest.len());
        let stop = self.rest[..stop].find("=>").unwrap_or(stop);
        if stop == 0 {
            return Err(self.wrong("a word was expected"));
        }
        let word = self.rest[..stop].to_owned();
        self.skip(stop);
        Ok(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_lists_comments_and_quotes_are_read() {
        let text = "# a\na => { b => [1, \"two three\" [x]], c=>d ; end\n e => { } }\nf => \"q\\\"x\"";
        let node = parse(text).unwrap();
        let a = node.get("a").unwrap();
        assert_eq!(a.get("b").unwrap().texts(), ["1", "two three"]);
        assert_eq!((a.get("c").unwrap().text(), a.get("e").unwrap().entries().len()), (Some("d"), 0));
        assert_eq!(node.get("f").unwrap().text(), Some("q\"x"));
        for (wrong, told) in [
            ("a => {", "line 1: `}` is missing"),
            ("a b", "line 1: `=>` is missing behind `a`"),
            ("\n}", "line 2: a bracket that nothing opened"),
            ("a => \"x", "line 1: a quote is not closed"),
            ("a => $include{x}", "line 1: `$include` is not followed; put the files together first"),
        ] {
            assert_eq!(parse(wrong).unwrap_err(), told);
        }
        assert!(parse(&format!("a => {}", "[".repeat(100))).unwrap_err().contains("too many"));
    }
}
