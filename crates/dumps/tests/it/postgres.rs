//! Against PostgreSQL itself.
