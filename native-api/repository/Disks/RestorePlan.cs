// What is to become of the chunks of a point in time.
namespace FastBackup.Repositories;

enum RestoreMode
{
    /// <summary>All are written; the target reads as zeroes where nothing is written.</summary>
    OntoZeroes,

    /// <summary>All are written, zeroes too.</summary>
    OverAnything,

    /// <summary>The target is read first, and only what differs is written.</summary>
    WhatDiffers,

    /// <summary>The target is read, and nothing is written.</summary>
    Compare,
}
