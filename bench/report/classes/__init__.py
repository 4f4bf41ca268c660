"""Which classes and images does a configuration get wrong? Figures by class, confusions, the gallery of mistakes."""
