// What a JSON value is. Integers are kept apart from other numbers, as QMP does.
namespace FastBackup.Native.Monitor.Json;

enum JsonKind : byte
{
    Null,
    Bool,

    /// <summary>Fits a long.</summary>
    Integer,

    /// <summary>Above that, and fits a ulong.</summary>
    Unsigned,
    Float,
    String,
    Array,
    Object,
}
