//! Decimal numbers of a database: text in files, decimals in SQL.
//!
//! PostgreSQL's `numeric` has up to 131,072 digits, decimals here have 76. A column whose numbers fit, and their
//! sums, is a decimal. Of any other the digits are text, and what would order them as text is refused.

use crate::convert::{EXTENSION, NUMERIC};
use crate::tables::{Entry, Rows};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::prelude::SessionContext;
use model::NumericExtent;
use std::sync::Arc;

/// From here on not every whole number is a float.
const FLOAT_EXACT: f64 = 9_007_199_254_740_992.0;

/// Makes a context refuse what would take numbers for text.
pub(crate) fn install(context: &SessionContext) {
    context.add_analyzer_rule(Arc::new(NoTextOrder));
}

/// Whether a field is a number of any length, kept as text.
pub(crate) fn is_text_number(field: &Field) -> bool {
    let marked = field.metadata().get(EXTENSION);
    field.data_type().is_string() && marked.is_some_and(|name| name == NUMERIC)
}

/// Returns the type in which SQL has a column, if it is another than the rows have.
pub(crate) fn decimal(entry: &Entry, field: &Field) -> Option<DataType> {
    if !is_text_number(field) {
        return None;
    }
    let extent = match &entry.rows {
        Rows::None(_) | Rows::Unread(_) => NumericExtent::default(),
        Rows::Files(..) | Rows::Batches(..) => *entry.numerics.get(field.name())?,
    };
    let (digits, scale) = extent.decimal()?;
    Some(DataType::Decimal256(digits, scale))
}

/// Refuses to compare and to sort numbers that are kept as text.
///
/// It runs after types are coerced: who compares with text compares text then.
#[derive(Debug)]
struct NoTextOrder;

impl AnalyzerRule for NoTextOrder {
    fn name(&self) -> &str {
        "no_text_order"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.apply_with_subqueries(|node| {
            let schema = merge_schema(&node.inputs());
            if let LogicalPlan::Sort(sort) = node {
                sort.expr
                    .iter()
                    .try_for_each(|by| refuse(&by.expr, &schema))?;
            }
            node.apply_expressions(|expr| {
                expr.apply(|expr| check(expr, &schema).map(|()| TreeNodeRecursion::Continue))
            })
        })?;
        Ok(plan)
    }
}

fn check(expr: &Expr, schema: &DFSchema) -> Result<()> {
    if let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr
        && op.supports_propagation()
    {
        rounded(left, right, schema)?;
        rounded(right, left, schema)?;
    }
    let ordered: Vec<&Expr> = match expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq,
            right,
        }) => vec![left, right],
        Expr::Between(Between { expr, .. }) => vec![expr],
        Expr::AggregateFunction(AggregateFunction { func, params })
            if matches!(func.name(), "min" | "max") =>
        {
            params.args.iter().collect()
        }
        Expr::WindowFunction(window) => {
            let WindowFunction { fun, params } = window.as_ref();
            let by = params.order_by.iter().map(|by| &by.expr);
            match fun.name() {
                "min" | "max" => by.chain(&params.args).collect(),
                _ => by.collect(),
            }
        }
        _ => return Ok(()),
    };
    ordered
        .into_iter()
        .try_for_each(|expr| refuse(expr, schema))
}

/// Refuses to compare exact numbers with one that is written longer than a float holds.
fn rounded(exact: &Expr, written: &Expr, schema: &DFSchema) -> Result<()> {
    let Expr::Literal(ScalarValue::Float64(Some(value)), _) = uncast(written) else {
        return Ok(());
    };
    let exact = uncast(exact);
    let is_decimal = exact.get_type(schema).is_ok_and(|of| of.is_decimal());
    match is_decimal && value.abs() >= FLOAT_EXACT {
        true => plan_err!(
            "a number as long as {value} would be compared by its first 15 digits: write it in quotes, {exact} = '123'"
        ),
        false => Ok(()),
    }
}

fn uncast(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(Cast { expr, .. }) => uncast(expr),
        expr => expr,
    }
}

fn refuse(expr: &Expr, schema: &DFSchema) -> Result<()> {
    let Ok((_, field)) = expr.to_field(schema) else {
        return Ok(());
    };
    match is_text_number(&field) {
        true => plan_err!(
            "{expr} has numbers that no decimal holds (NaN, or more than {} digits): as text they would be in a wrong \
             order. CAST({expr} AS DOUBLE) orders them by 15 digits",
            NumericExtent::DIGITS
        ),
        false => Ok(()),
    }
}
