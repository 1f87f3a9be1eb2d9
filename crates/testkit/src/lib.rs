//! Golden comparison and incident simulators.
