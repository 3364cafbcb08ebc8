//! Categories: what a market's tags say it is about.

/// The categories fees and evidence are known for, the narrower before the wider: a market about a war is
/// tagged politics as well, and only one of the two has fees.
const CATEGORIES: [&str; 11] = [
    "geopolitics",
    "crypto",
    "sports",
    "politics",
    "finance",
    "economics",
    "tech",
    "mentions",
    "culture",
    "weather",
    "other",
];

/// The narrowest known category among names in any case and any order: the venue sends tags in no order that
/// lasts, and a category that changes with it would be none.
pub(super) fn known_category<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let places = names
        .into_iter()
        .filter_map(|name| CATEGORIES.iter().position(|known| known.eq_ignore_ascii_case(name)));
    places.min().map(|place| CATEGORIES[place].to_owned())
}

#[cfg(test)]
mod tests {
    use super::known_category;

    #[test]
    fn the_order_of_tags_does_not_matter() {
        let tags = ["all", "Politics", "Ukraine", "Geopolitics"];
        assert_eq!(known_category(tags).as_deref(), Some("geopolitics"));
        assert_eq!(known_category(tags.into_iter().rev()).as_deref(), Some("geopolitics"));
        assert_eq!(known_category(["all", "hide-from-new", "politics\0"]), None);
    }
}
