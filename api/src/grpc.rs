//! gRPC status codes by the names that users write and read.

/// The names; their position is their number.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Name of a status, or its number where nobody has named it.
pub fn name(code: u8) -> String {
    NAMES
        .get(usize::from(code))
        .map_or_else(|| code.to_string(), |name| (*name).to_owned())
}

/// A status by its number, or by its name in any case, with hyphens or underscores.
pub fn code(text: &str) -> Option<u8> {
    let wanted = text.to_ascii_uppercase().replace('-', "_");
    let named = NAMES.iter().position(|name| *name == wanted);
    let number = named.or_else(|| text.parse().ok()).filter(|n| *n < NAMES.len())?;
    u8::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_each_others_inverse() {
        for number in 0..17 {
            assert_eq!(code(&name(number)), Some(number));
            assert_eq!(code(&number.to_string()), Some(number));
        }
        assert_eq!(code("resource-exhausted"), Some(8));
        assert_eq!(name(99), "99");
        for unknown in ["17", "-1", "", "FINE"] {
            assert_eq!(code(unknown), None, "{unknown}");
        }
    }
}
