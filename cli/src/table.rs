//! Tables without lines, as `kubectl` prints them.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Row, Table, presets};

/// A table with a heading; right-aligned columns are those whose heading begins with `>`.
pub fn table(heading: &[&str]) -> Table {
    let mut table = Table::new();
    // Wrapping would tear rows apart; whoever has a narrow terminal sees its lines wrapped whole.
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    let cells = heading.iter().map(|h| Cell::new(h.trim_start_matches('>')));
    table.set_header(Row::from(cells.collect::<Vec<_>>()));
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if heading[i].starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The table as text, without blanks at the end of lines.
pub fn text(table: &Table) -> String {
    table
        .lines()
        .map(|l| l.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let mut t = table(&["NAME", ">RPS"]);
        t.add_row(["web", "9.5"]).add_row(["a-longer-name", "120.0"]);
        assert_eq!(
            text(&t),
            "NAME             RPS\nweb              9.5\na-longer-name  120.0"
        );
    }
}
