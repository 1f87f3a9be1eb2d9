//! Clocks, traces, gaps: frames over a case plus the rules of the chains.
