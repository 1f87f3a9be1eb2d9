//! The engine: DataFusion over a case's Parquet files and over batches in memory.

use crate::convert;
use crate::error::QueryError;
use crate::exact;
use crate::header::Query;
use crate::json;
use crate::numeric;
use crate::params::Params;
use crate::provider::provider;
use crate::statement::{self, Parsed};
use crate::tables::{Entry, RECORDS, Rows, TableFiles, TableName, Tables};
use case::{Case, TableId};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, TableProvider,
};
use datafusion::common::{DataFusionError, ParamValues, TableReference};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use futures::StreamExt;
use model::{
    Answer, AnswerColumn, Batch, Cell, Choice, ColumnType, NumericExtent, RowFilter, TableInfo,
    TableSource,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Planning recurses over the statement; in an unoptimised build that takes more than a thread's
/// usual 2 MiB. The stack is reserved, not used, until it is needed.
const STACK_BYTES: usize = 64 << 20;

/// Where tables lie whose name was written without schema; no table of a case can bear this name.
const BARE: &str = "-";

/// How much an engine may use.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// What sorts, joins and groups may hold; beyond it they spill to temporary files.
    pub memory_bytes: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            memory_bytes: 1 << 30,
        }
    }
}

/// An answer, and on what it rests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The rows.
    pub answer: Answer,
    /// Whether there are more rows than the limit let through.
    pub more: bool,
    /// Full names of the tables that were read.
    pub tables: Vec<String>,
    /// Those of them that hold nothing in this evidence: for `looked_at.missing_kinds`.
    pub missing: Vec<String>,
}

/// Answers SQL over the tables of a case, a dump, or both.
///
/// One partition and one thread of execution: sums of floating-point numbers, and rows that no
/// ORDER BY separates, come in the same order on every machine.
pub struct Engine {
    tables: Tables,
    runtime: Arc<RuntimeEnv>,
}

impl Engine {
    /// Returns an engine that knows `records`, `rejects` and every `obs.<kind>`, all empty.
    ///
    /// # Errors
    /// [`QueryError::Engine`] if the place for temporary files cannot be made.
    pub fn new(options: EngineOptions) -> Result<Engine, QueryError> {
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(options.memory_bytes)))
            .build_arc()
            .map_err(QueryError::from_engine)?;
        Ok(Engine {
            tables: Tables::new(),
            runtime,
        })
    }

    /// Returns an engine over the tables of a case.
    ///
    /// # Errors
    /// [`QueryError::Engine`] if the place for temporary files cannot be made.
    pub fn open(case: &Case, options: EngineOptions) -> Result<Engine, QueryError> {
        let mut engine = Engine::new(options)?;
        for id in [TableId::Records, TableId::Rejects, TableId::Duplicates] {
            engine.add_files(case, id, None);
        }
        for id in case.tables() {
            if matches!(id, TableId::Obs(_)) {
                engine.add_files(case, id, None);
            }
        }
        for info in case.table_source(None).tables() {
            let columns = info.columns.iter();
            // A table without rows has no file; the manifest knows its columns.
            let columns = columns.map(|(name, column_type)| (name.as_str(), *column_type));
            engine.insert(&info, Rows::None(convert::schema(columns)), BTreeMap::new());
            let id = TableId::Table {
                snapshot: info.snapshot.clone(),
                schema: info.schema.clone(),
                table: info.name.clone(),
            };
            engine.add_files(case, id, Some(&info));
        }
        Ok(engine)
    }

    fn add_files(&mut self, case: &Case, id: TableId, dumped: Option<&TableInfo>) {
        let columns: Vec<(&str, ColumnType)> = match (&id, dumped) {
            (TableId::Records, _) => RECORDS.to_vec(),
            (_, Some(table)) => {
                let columns = table.columns.iter();
                columns
                    .map(|(name, column_type)| (name.as_str(), *column_type))
                    .collect()
            }
            _ => Vec::new(),
        };
        let marks = columns
            .into_iter()
            .filter(|(_, t)| matches!(t, ColumnType::Json | ColumnType::Numeric));
        self.add_table(TableFiles {
            files: case.files(&id),
            name: match id {
                TableId::Records => TableName::Records,
                TableId::Rejects => TableName::Rejects,
                TableId::Duplicates => TableName::Duplicates,
                // Samples are of use to ingest alone, keys of hashes to look-ups.
                TableId::Keys | TableId::Hashes => return,
                TableId::Obs(kind) => TableName::Obs(kind),
                TableId::Table {
                    snapshot,
                    schema,
                    table,
                } => TableName::Dump {
                    snapshot,
                    schema,
                    table,
                },
            },
            reference: dumped.map(TableInfo::reference),
            primary_key: dumped.map_or(Vec::new(), |table| table.primary_key.clone()),
            marks: marks.map(|(name, t)| (name.to_owned(), t)).collect(),
            numerics: dumped.map_or(BTreeMap::new(), |info| numerics_of(case, info)),
        });
    }

    /// Adds a table that lies in Parquet files; without files a known one stays empty.
    pub fn add_table(&mut self, table: TableFiles) {
        if table.files.is_empty() {
            return;
        }
        self.tables.insert(
            table.name,
            Entry {
                rows: Rows::Files(table.files, table.marks),
                reference: table.reference,
                primary_key: table.primary_key,
                numerics: table.numerics,
            },
        );
    }

    /// Adds a database's table from memory. The batches may leave out columns; a statement that
    /// names one of those is wrong.
    ///
    /// # Errors
    /// [`QueryError::Run`] if a column is not of the type that `info` tells.
    pub fn register_batches(
        &mut self,
        info: &TableInfo,
        batches: Vec<Batch>,
    ) -> Result<(), QueryError> {
        let held = |name: &str| batches.iter().any(|batch| batch.column(name).is_some());
        let all = convert::schema(columns(info));
        // Without a batch there is no column that could be missing.
        let known = columns(info).filter(|(name, _)| batches.is_empty() || held(name));
        let ordinal = held("#").then_some(("#", ColumnType::I64));
        let schema = convert::schema(known.chain(ordinal));
        let mut numerics = BTreeMap::new();
        for batch in &batches {
            NumericExtent::see_batch(&mut numerics, batch);
        }
        let batches: Result<Vec<_>, _> = batches
            .into_iter()
            .map(|batch| convert::record_batch(batch, &schema))
            .collect();
        let mut batches =
            batches.map_err(|error| QueryError::from_engine(DataFusionError::from(error)))?;
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(schema));
        }
        self.insert(info, Rows::Batches(all, batches), numerics);
        Ok(())
    }

    /// Makes the tables of a dump known, and reads those tables and columns that a statement names.
    ///
    /// # Errors
    /// If the statement is wrong ([`Engine::sql`]) or a table cannot be read ([`QueryError::Table`]).
    pub fn register_source(
        &mut self,
        source: &dyn TableSource,
        sql: &str,
    ) -> Result<(), QueryError> {
        let tables = source.tables();
        for info in &tables {
            let schema = convert::schema(columns(info));
            self.insert(info, Rows::Unread(schema), BTreeMap::new());
        }
        let parsed = statement::parse(sql)?;
        if !matches!(parsed, Parsed::Query(_)) {
            return Ok(());
        }
        let words = statement::words(sql)?;
        for reference in parsed.references()? {
            let (name, entry) = self.tables.resolve(&reference)?;
            if !matches!(entry.rows, Rows::Unread(_)) {
                continue;
            }
            let full = name.to_string();
            let is_named = |info: &&TableInfo| table_name(info).to_string() == full;
            let Some(info) = tables.iter().find(is_named) else {
                continue;
            };
            let wanted: Vec<&str> = info
                .columns
                .iter()
                .map(|(name, _)| name.as_str())
                .filter(|name| words.may_name(name) || info.primary_key.iter().any(|k| k == name))
                .collect();
            let batch = source.read(&full, &wanted, &RowFilter::All)?;
            self.register_batches(info, vec![batch])?;
        }
        Ok(())
    }

    fn insert(&mut self, info: &TableInfo, rows: Rows, numerics: BTreeMap<String, NumericExtent>) {
        self.tables.insert(
            table_name(info),
            Entry {
                rows,
                reference: Some(info.reference()),
                primary_key: info.primary_key.clone(),
                numerics,
            },
        );
    }

    /// Names without a snapshot mean tables of this choice from now on; else any, if only one snapshot has the
    /// table.
    pub fn choose(&mut self, choice: Choice) {
        self.tables.choice = Some(choice);
    }

    /// Returns all tables, and whether each holds rows.
    pub fn tables(&self) -> impl Iterator<Item = (&TableName, bool)> {
        self.tables
            .iter()
            .map(|(name, entry)| (name, !matches!(entry.rows, Rows::None(_))))
    }

    /// Answers a statement that reads.
    ///
    /// # Errors
    /// [`QueryError`]; see [`QueryError::hint`].
    pub fn sql(&self, sql: &str, params: &Params) -> Result<Answer, QueryError> {
        Ok(self.run(sql, params, None)?.answer)
    }

    /// Answers a statement that reads, with at most `limit` rows.
    ///
    /// # Errors
    /// [`QueryError`]; see [`QueryError::hint`].
    pub fn run(
        &self,
        sql: &str,
        params: &Params,
        limit: Option<usize>,
    ) -> Result<Outcome, QueryError> {
        let limit = limit.unwrap_or(usize::MAX);
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        let mut more = false;
        let mut outcome = self.stream(sql, params, &mut |mut chunk| {
            rows.append(&mut chunk.rows);
            if rows.len() > limit {
                rows.truncate(limit);
                more = true;
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        outcome.answer.rows = rows;
        outcome.more = more;
        Ok(outcome)
    }

    /// Answers a named query with the parameters as typed (`name`, `value`).
    ///
    /// # Errors
    /// [`QueryError::Needs`] if the evidence lacks tables, and all of [`Engine::sql`].
    pub fn query(
        &self,
        query: &Query,
        given: &[(String, String)],
        limit: Option<usize>,
    ) -> Result<Outcome, QueryError> {
        let params = query.bind(given)?;
        let mut missing = Vec::new();
        for table in &query.needs {
            match self.tables.resolve(&TableReference::parse_str(table)) {
                Ok(_) => {}
                Err(QueryError::NoTable { .. }) => missing.push(table.clone()),
                Err(other) => return Err(other),
            }
        }
        if !missing.is_empty() {
            return Err(QueryError::Needs {
                query: query.name.clone(),
                missing,
            });
        }
        self.run(&query.sql, &params, limit)
    }

    /// Answers a statement that reads, some thousand rows at a time, each chunk with its columns
    /// (the first may be empty of rows, so that the columns are always told). The sink may stop.
    /// The rows of the returned outcome are empty.
    ///
    /// # Errors
    /// [`QueryError`]; see [`QueryError::hint`].
    pub fn stream(
        &self,
        sql: &str,
        params: &Params,
        sink: &mut (dyn FnMut(Answer) -> ControlFlow<()> + Send),
    ) -> Result<Outcome, QueryError> {
        let parsed = statement::parse(sql)?;
        check_placeholders(sql, params)?;
        let engine_failed = |message: String| QueryError::Engine { message };
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new()
                .name("query".to_owned())
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, || {
                    tokio::runtime::Builder::new_current_thread()
                        .build()
                        .map_err(|error| engine_failed(error.to_string()))?
                        .block_on(self.answer(parsed, params, sink))
                })
                .map_err(|error| engine_failed(error.to_string()))?;
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    async fn answer(
        &self,
        parsed: Parsed,
        params: &Params,
        sink: &mut (dyn FnMut(Answer) -> ControlFlow<()> + Send),
    ) -> Result<Outcome, QueryError> {
        let context = self.context().map_err(QueryError::from_engine)?;
        let references = parsed.references()?;
        let mut outcome = Outcome::default();
        for reference in references.clone() {
            let (name, entry) = self.tables.resolve(&reference)?;
            let shown = name.to_string();
            if outcome.tables.contains(&shown) {
                // Written in two ways: registered under both.
            } else {
                if matches!(entry.rows, Rows::None(_)) {
                    outcome.missing.push(shown.clone());
                }
                outcome.tables.push(shown);
            }
            if matches!((&entry.rows, &parsed), (Rows::Unread(_), Parsed::Query(_))) {
                return Err(QueryError::Engine {
                    message: format!("{name} was not read from the dump"),
                });
            }
            let provider = provider(&context, name, entry)
                .await
                .map_err(QueryError::from_engine)?;
            register(&context, reference, provider).map_err(QueryError::from_engine)?;
        }
        match parsed {
            Parsed::ShowTables => {
                let mut answer = Answer::new(&[("table", "text"), ("has_rows", "bool")]);
                answer.rows = self
                    .tables()
                    .map(|(name, has_rows)| {
                        vec![Cell::Text(name.to_string()), Cell::Bool(has_rows)]
                    })
                    .collect();
                outcome.answer.columns.clone_from(&answer.columns);
                let _ = sink(answer);
            }
            Parsed::Describe(table) => {
                let provider = context
                    .table_provider(table)
                    .await
                    .map_err(QueryError::from_engine)?;
                let mut answer = Answer::new(&[("column", "text"), ("type", "text")]);
                answer.rows = provider
                    .schema()
                    .fields()
                    .iter()
                    .map(|field| {
                        let type_name = convert::type_name(field).to_owned();
                        vec![Cell::Text(field.name().clone()), Cell::Text(type_name)]
                    })
                    .collect();
                outcome.answer.columns.clone_from(&answer.columns);
                let _ = sink(answer);
            }
            Parsed::Query(statement) => {
                outcome.answer.columns = execute(&context, *statement, params, sink)
                    .await
                    .map_err(|error| {
                        let columns = references.iter().flat_map(|r| self.tables.columns(r));
                        QueryError::from_engine(error).with_columns(columns.collect())
                    })?;
            }
        }
        Ok(outcome)
    }

    /// Returns a fresh context: nothing of one question reaches the next.
    fn context(&self) -> Result<SessionContext, DataFusionError> {
        let config = SessionConfig::new()
            .with_target_partitions(1)
            .with_default_catalog_and_schema(BARE, BARE);
        let context = SessionContext::new_with_config_rt(config, Arc::clone(&self.runtime));
        exact::install(&context)?;
        numeric::install(&context);
        json::install(&context)?;
        Ok(context)
    }
}

/// Columns in file order.
fn columns(info: &TableInfo) -> impl Iterator<Item = (&str, ColumnType)> {
    info.columns
        .iter()
        .map(|(name, column_type)| (name.as_str(), *column_type))
}

/// Returns how long the numbers of a table are; a case of an older version of this program does not say.
fn numerics_of(case: &Case, info: &TableInfo) -> BTreeMap<String, NumericExtent> {
    let snapshot = case.manifest().snapshot(&info.snapshot);
    let mut tables = snapshot.iter().flat_map(|snapshot| &snapshot.tables);
    let table = tables.find(|table| table.schema == info.schema && table.name == info.name);
    table.map_or(BTreeMap::new(), |table| table.numerics.clone())
}

fn table_name(info: &TableInfo) -> TableName {
    TableName::Dump {
        snapshot: info.snapshot.clone(),
        schema: info.schema.clone(),
        table: info.name.clone(),
    }
}

/// Says which parameters are missing or unknown before anything is planned.
fn check_placeholders(sql: &str, params: &Params) -> Result<(), QueryError> {
    let used = statement::placeholders(sql).map_err(|(line, message)| QueryError::Syntax {
        message: format!("{message} at Line: {line}"),
    })?;
    let wrong = |name: &str, what: &str| {
        Err(QueryError::Param {
            name: name.to_owned(),
            what: what.to_owned(),
        })
    };
    for (name, _) in &used {
        if !params.contains_key(name) {
            return wrong(name, "missing");
        }
    }
    for name in params.keys() {
        if !used.iter().any(|(used, _)| used == name) {
            return wrong(name, "not used by the statement");
        }
    }
    Ok(())
}

async fn execute(
    context: &SessionContext,
    statement: datafusion::sql::parser::Statement,
    params: &Params,
    sink: &mut (dyn FnMut(Answer) -> ControlFlow<()> + Send),
) -> Result<Vec<AnswerColumn>, DataFusionError> {
    let plan = context.state().statement_to_plan(statement).await?;
    let values: Vec<(String, datafusion::common::ScalarValue)> = params
        .iter()
        .map(|(name, value)| (name.clone(), value.to_scalar()))
        .collect();
    let plan = plan.replace_params_with_values(&ParamValues::from(values))?;
    // The statement was judged when it was read; this judges the plan as well.
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)?;
    let frame = context.execute_logical_plan(plan).await?;
    let mut stream = frame.execute_stream().await?;
    let columns = convert::answer_columns(&stream.schema());
    let empty = Answer {
        columns: columns.clone(),
        rows: Vec::new(),
    };
    if sink(empty).is_break() {
        return Ok(columns);
    }
    while let Some(batch) = stream.next().await {
        let mut chunk = Answer {
            columns: columns.clone(),
            rows: Vec::new(),
        };
        convert::append_rows(&batch?, &mut chunk.rows)?;
        if sink(chunk).is_break() {
            break;
        }
    }
    Ok(columns)
}

/// Makes a table known under the name that was written.
fn register(
    context: &SessionContext,
    reference: TableReference,
    provider: Arc<dyn TableProvider>,
) -> Result<(), DataFusionError> {
    let catalog_name = reference.catalog().unwrap_or(BARE);
    let catalog = match context.catalog(catalog_name) {
        Some(catalog) => catalog,
        None => {
            let catalog: Arc<dyn CatalogProvider> = Arc::new(MemoryCatalogProvider::new());
            context.register_catalog(catalog_name, Arc::clone(&catalog));
            catalog
        }
    };
    let schema_name = reference.schema().unwrap_or(BARE);
    if catalog.schema(schema_name).is_none() {
        catalog.register_schema(schema_name, Arc::new(MemorySchemaProvider::new()))?;
    }
    context.register_table(reference, provider)?;
    Ok(())
}
