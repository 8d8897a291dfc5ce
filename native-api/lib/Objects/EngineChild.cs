// What belongs to an engine: its cold calls take turns there, and a bug that one of them meets stops it.
using System;
using FastBackup.Native.Handles;

namespace FastBackup.Native.Objects;

/// <param name="engine">Null for what has none.</param>
abstract class EngineChild(EngineObject? engine) : AbiObject
{
    public EngineObject? Engine => engine;

    public override void StopEngine(Exception bug) => engine?.Stop(bug);
}
