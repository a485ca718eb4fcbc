//! Rows of tables as tensors: each split once, then indexed per batch.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use luthier_data::{
    Cells, Column as At, Features, Grid, GridColumn, GridOptions, Kind, TableFormat, read_grid,
};
use luthier_plan::{FeatureKind, Plan, PlanError, SplitPlan, TablePlan};
use luthier_recipe::{Column, Data, DataFormat, OnError, Task};
use tch::{Device, Tensor};

use crate::TrainError;
use crate::texts::hex;

/// The rows of a split on the device.
pub(crate) struct Rows {
    /// What the model sees, fp32 [rows, width]
    x: Tensor,
    /// Targets of a regression as the model sees them, fp32 [rows, targets]
    y: Option<Tensor>,
    device: Device,
}

impl Rows {
    /// Some of the rows.
    pub fn batch(&self, indices: &[u32]) -> Result<(Tensor, Option<Tensor>), TrainError> {
        let wide: Vec<i64> = indices.iter().map(|index| i64::from(*index)).collect();
        let at = Tensor::f_from_slice(&wide)?.f_to_device(self.device)?;
        let y = self.y.as_ref().map(|y| y.f_index_select(0, &at)).transpose()?;
        Ok((self.x.f_index_select(0, &at)?, y))
    }
}

/// The tables of a plan, read when a split is first asked for; a file that several splits share is read once.
pub(crate) struct Tables {
    data: Data,
    task: Task,
    base: PathBuf,
    table: TablePlan,
    splits: Vec<SplitPlan>,
    device: Device,
    rows: OnceCell<Vec<Rc<Rows>>>,
}

impl Tables {
    /// Of a plan that has such.
    pub fn of(plan: &Plan, device: Device) -> Option<Self> {
        Some(Tables {
            data: plan.recipe.data.clone(),
            task: plan.recipe.task,
            base: plan.base.clone().into(),
            table: plan.table.clone()?,
            splits: plan.data.splits.clone(),
            device,
            rows: OnceCell::new(),
        })
    }

    /// The rows of a split.
    pub fn rows(&self, split: usize) -> Result<Rc<Rows>, TrainError> {
        let all = match self.rows.get() {
            Some(all) => all,
            None => {
                let all = self.read()?;
                self.rows.get_or_init(|| all)
            }
        };
        let rows = all.get(split).map(Rc::clone);
        rows.ok_or_else(|| TrainError::State(format!("there is no split {split}")))
    }

    fn read(&self) -> Result<Vec<Rc<Rows>>, TrainError> {
        let mut files: HashMap<&str, Grid> = HashMap::new();
        let mut all = Vec::with_capacity(self.splits.len());
        for split in &self.splits {
            let path = self.base.join(&split.root);
            if !files.contains_key(split.root.as_str()) {
                let options = options(&self.data, self.task, &self.table, true)?;
                files.insert(&split.root, read_grid(&path, &options)?);
            }
            let Some(grid) = files.get(split.root.as_str()) else { continue };
            let changed = || TrainError::Changed { path: path.clone() };
            if split.hash.as_ref().is_some_and(|hash| *hash != hex(grid.hash)) {
                return Err(changed());
            }
            let by_line: HashMap<u64, usize> =
                grid.lines.iter().enumerate().map(|(row, line)| (*line, row)).collect();
            let row = |line: &str| by_line.get(&line.parse().ok()?).copied();
            let picked: Option<Vec<usize>> = split.samples.paths().map(row).collect();
            let picked = picked.ok_or_else(changed)?;
            let size = |width: u64| [picked.len() as i64, width as i64];
            let (x, _) = encode(&grid.features, &self.table, &picked);
            let x = Tensor::f_from_slice(&x)?.f_view(size(self.table.width()))?.f_to_device(self.device)?;
            let y = if self.table.targets.is_empty() {
                None
            } else {
                let y = targets(&grid.targets, &self.table, &picked);
                let size = size(self.table.targets.len() as u64);
                Some(Tensor::f_from_slice(&y)?.f_view(size)?.f_to_device(self.device)?)
            };
            all.push(Rc::new(Rows { x, y, device: self.device }));
        }
        Ok(all)
    }
}

/// How a file is read that must have the columns of a planned table, targets included or not.
pub(crate) fn options(
    data: &Data,
    task: Task,
    table: &TablePlan,
    with_targets: bool,
) -> Result<GridOptions, TrainError> {
    let named = table.header || matches!(data.format, DataFormat::Jsonl | DataFormat::Parquet);
    let at = |name: &str| match name.parse() {
        Ok(index) if !named => At::Index(index),
        _ => At::Name(name.to_owned()),
    };
    let kind = |kind: &FeatureKind| match kind {
        FeatureKind::Numbers { .. } => Kind::Numbers,
        FeatureKind::Words { .. } => Kind::Words,
    };
    let features = table.features.iter().map(|feature| (at(&feature.name), Some(kind(&feature.kind))));
    let targets = table.class_column.iter().chain(table.targets.iter().map(|target| &target.name));
    Ok(GridOptions {
        header: Some(table.header),
        targets: if with_targets { targets.map(|name| at(name)).collect() } else { Vec::new() },
        features: Features::These(features.collect()),
        ..first_options(data, task)?
    })
}

/// How the file that training rows come from is read.
pub(crate) fn first_options(data: &Data, task: Task) -> Result<GridOptions, TrainError> {
    let format = match data.format {
        DataFormat::Tsv => TableFormat::Tsv,
        DataFormat::Csv => TableFormat::Csv,
        DataFormat::Jsonl => TableFormat::Jsonl,
        DataFormat::Parquet => TableFormat::Parquet,
        DataFormat::ImageFolder | DataFormat::Scenes => {
            return Err(PlanError::at("data.format", "a folder of pictures is no table").into());
        }
    };
    let at = |column: &Column| match column {
        Column::Index(index) => At::Index(usize::try_from(*index).unwrap_or(usize::MAX)),
        Column::Name(name) => At::Name(name.clone()),
    };
    let targets = data.target.iter().flat_map(|target| target.columns()).map(at).collect();
    let features = match &data.features {
        None => Features::Others,
        Some(features) => Features::These(features.iter().map(|column| (at(column), None)).collect()),
    };
    let target_kind = if task == Task::Regression { Kind::Numbers } else { Kind::Words };
    Ok(GridOptions { format, header: data.header, targets, target_kind, features, on_error: data.on_error })
}

/// Some rows as the model sees them, row by row, and for each feature how many of them have a word that no training
/// row has.
pub(crate) fn encode(columns: &[GridColumn], table: &TablePlan, picked: &[usize]) -> (Vec<f32>, Vec<u64>) {
    let width = table.width() as usize;
    let mut x = vec![0f32; picked.len() * width];
    let mut unknown = vec![0; table.features.len()];
    let mut offset = 0;
    for ((feature, column), unknown) in table.features.iter().zip(columns).zip(&mut unknown) {
        match (&feature.kind, &column.cells) {
            (FeatureKind::Numbers { scale, .. }, Cells::Numbers(numbers)) => {
                for (row, at) in picked.iter().enumerate() {
                    x[row * width + offset] = scale.apply(numbers[*at]) as f32;
                }
            }
            (FeatureKind::Words { words: known, .. }, Cells::Words { words, codes }) => {
                let place = |word: &String| known.iter().position(|other| other == word);
                let places: Vec<Option<usize>> = words.iter().map(place).collect();
                for (row, at) in picked.iter().enumerate() {
                    match places[codes[*at] as usize] {
                        Some(place) => x[row * width + offset + place] = 1.0,
                        None => *unknown += 1,
                    }
                }
            }
            // the kinds were asked for when the file was read
            _ => {}
        }
        offset += feature.width() as usize;
    }
    (x, unknown)
}

fn targets(columns: &[GridColumn], table: &TablePlan, picked: &[usize]) -> Vec<f32> {
    let width = table.targets.len();
    let mut y = vec![0f32; picked.len() * width];
    for (place, (target, column)) in table.targets.iter().zip(columns).enumerate() {
        if let Cells::Numbers(numbers) = &column.cells {
            for (row, at) in picked.iter().enumerate() {
                y[row * width + place] = target.scale.apply(numbers[*at]) as f32;
            }
        }
    }
    y
}

/// The rows of a file that may have no targets, as the model sees them: their lines, the numbers, and the lines that
/// can't be used with the reason.
pub(crate) type Read = (Vec<u64>, Vec<f32>, Vec<(u64, String)>);

/// Reads rows to predict. A row that can't be used is left out, whatever the recipe says.
pub(crate) fn read_rows(plan: &Plan, table: &TablePlan, path: &Path) -> Result<Read, TrainError> {
    let data = &plan.recipe.data;
    let keep = data.on_error == OnError::Keep;
    let options = options(data, plan.recipe.task, table, false)?;
    let options = GridOptions { on_error: if keep { OnError::Keep } else { OnError::Skip }, ..options };
    let grid = read_grid(path, &options)?;
    let all: Vec<usize> = (0..grid.lines.len()).collect();
    let (x, _) = encode(&grid.features, table, &all);
    Ok((grid.lines, x, grid.skipped))
}
