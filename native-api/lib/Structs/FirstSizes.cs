// How long each struct with a size was in the first release, in bytes: what a host must give at least. No header says
// it, because a header knows only its own release: whoever lets a struct grow leaves its number here alone.
namespace FastBackup.Native.Structs;

public partial struct BackupOptionsStruct
{
    public const uint SizeFirst = 72;
}

public partial struct BitmapOptionsStruct
{
    public const uint SizeFirst = 32;
}

public partial struct BitmapStateStruct
{
    public const uint SizeFirst = 48;
}

public partial struct CallbackStruct
{
    public const uint SizeFirst = 32;
}

public partial struct CheckpointStruct
{
    public const uint SizeFirst = 24;
}

public partial struct CompletionStruct
{
    public const uint SizeFirst = 40;
}

public partial struct DeviceOpsStruct
{
    public const uint SizeFirst = 56;
}

public partial struct DeviceOptionsStruct
{
    public const uint SizeFirst = 32;
}

public partial struct DeviceStateStruct
{
    public const uint SizeFirst = 32;
}

public partial struct DiskOptionsStruct
{
    public const uint SizeFirst = 24;
}

public partial struct DiskStateStruct
{
    public const uint SizeFirst = 40;
}

public partial struct EngineOptionsStruct
{
    public const uint SizeFirst = 24;
}

public partial struct EngineStateStruct
{
    public const uint SizeFirst = 40;
}

public partial struct ErrorStruct
{
    public const uint SizeFirst = 256;
    public const int TextBytes = 232;
}

public partial struct EventSinkStruct
{
    public const uint SizeFirst = 32;
}

public partial struct EventStruct
{
    public const uint SizeFirst = 48;
}

public partial struct ExportOptionsStruct
{
    public const uint SizeFirst = 64;
}

public partial struct JobStateStruct
{
    public const uint SizeFirst = 88;
}

public partial struct LatencyStruct
{
    public const uint SizeFirst = 64;
}

public partial struct LogSinkStruct
{
    public const uint SizeFirst = 40;
}

public partial struct MonitorOptionsStruct
{
    public const uint SizeFirst = 24;
}

public partial struct PathOptionsStruct
{
    public const uint SizeFirst = 56;
}

public partial struct RepositoryOptionsStruct
{
    public const uint SizeFirst = 96;
}

public partial struct ServerOptionsStruct
{
    public const uint SizeFirst = 40;
}

public partial struct ServerStateStruct
{
    public const uint SizeFirst = 16;
}

public partial struct StatisticsStruct
{
    public const uint SizeFirst = 240;
}
