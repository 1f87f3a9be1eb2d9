//! Named SQL queries and the engine that runs them.
