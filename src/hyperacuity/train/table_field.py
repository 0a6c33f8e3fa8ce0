"""A field of a recipe whose type follows from a table, also where the table has grown since the recipe's class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class TableField:
    """An annotation: values are checked against the type that `current()` returns when they are read.

    Args:
        current: Returns the type, made of the table as it is now.
    """

    def __init__(self, current: Callable[[], Any]) -> None:
        self.current = current

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """See pydantic's "Custom types"."""
        return core_schema.no_info_plain_validator_function(
            lambda value: TypeAdapter(self.current()).validate_python(value),
            serialization=core_schema.plain_serializer_function_ser_schema(_dump, info_arg=True),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """See pydantic's "Custom types"."""
        return handler(TypeAdapter(self.current()).core_schema)


def _dump(value: BaseModel, info: core_schema.SerializationInfo) -> Any:
    return value.model_dump(mode=info.mode, by_alias=info.by_alias)
