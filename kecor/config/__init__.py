"""Configs: YAML files, overridden on the command line, checked and turned into typed settings."""

from kecor.config.arguments import check_arguments
from kecor.config.imports import import_modules
from kecor.config.load import dump_config, load_config, parse_config, settings_values
from kecor.config.methods import method_sections
from kecor.config.overrides import apply_options
from kecor.config.settings import ActiveConfig, Config, DataConfig, OracleConfig, ScheduleConfig, VoxelConfig

__all__ = [
    "ActiveConfig",
    "Config",
    "DataConfig",
    "OracleConfig",
    "ScheduleConfig",
    "VoxelConfig",
    "apply_options",
    "check_arguments",
    "dump_config",
    "import_modules",
    "load_config",
    "method_sections",
    "parse_config",
    "settings_values",
]
