//! Tables for people: columns as wide as their widest cell.

/// Lines of a table with a head; cells of the last column are not padded.
pub(in crate::command) fn lines<const N: usize>(
    head: [&str; N],
    rows: &[[String; N]],
) -> Vec<String> {
    let head = head.map(str::to_owned);
    let mut widths = [0_usize; N];
    for row in std::iter::once(&head).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    std::iter::once(&head).chain(rows).map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, &width)| format!("{cell:<width$}"));
    format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
}

/// What stands in a cell that has nothing to say.
pub(in crate::command) fn or_dash(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a".to_owned(), "long".to_owned()], ["longer".to_owned(), "b".to_owned()]];
        assert_eq!(lines(["x", "y"], &rows), ["  x       y", "  a       long", "  longer  b"]);
    }
}
