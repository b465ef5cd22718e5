"""Descriptors: features -> what a table row stores. One file and one line of `DESCRIPTORS` each."""

from collections.abc import Mapping
from typing import Final

from data.taxonomy import DescriptorType
from models.descriptors.aggregated import Aggregated
from models.descriptors.base import Descriptor
from models.descriptors.binary import Binary
from models.descriptors.real_valued import RealValued

DESCRIPTORS: Final[Mapping[DescriptorType, type[Descriptor]]] = {
    DescriptorType.REAL_VALUED: RealValued,
    DescriptorType.BINARY: Binary,
    DescriptorType.AGGREGATED: Aggregated,
}
