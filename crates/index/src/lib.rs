//! Hash look-ups and the search language.
