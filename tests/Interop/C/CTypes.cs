// C# types as C: what a C compiler must take for the same. The way back of the generator's TypeMap, written apart
// from it.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastBackup.Tests.Interop.C;

static class CTypes
{
    static readonly Dictionary<Type, string> Plain = new()
    {
        [typeof(void)] = "void",
        [typeof(byte)] = "char",
        [typeof(int)] = "int32_t",
        [typeof(uint)] = "uint32_t",
        [typeof(long)] = "int64_t",
        [typeof(ulong)] = "uint64_t",
    };

    /// <summary>A declaration in C; a pointer to a function has its name inside: "int (*name)(void *)".</summary>
    /// <param name="type">Of a parameter, a result or a member.</param>
    /// <param name="name">Goes where C wants it.</param>
    public static string Declare(Type type, string name)
    {
        if (type.IsFunctionPointer)
        {
            IEnumerable<string> arguments = type.GetFunctionPointerParameterTypes().Select(item => Declare(item, ""));
            return $"{Declare(type.GetFunctionPointerReturnType(), "")} (*{name})({string.Join(", ", arguments)})";
        }
        if (type.IsPointer)
            return Declare(type.GetElementType()!, "*" + name);
        return Plain.TryGetValue(type, out string? plain) ? $"{plain} {name}" : $"{type.Name} {name}";
    }

    /// <summary>The size of a type as the runtime lays it out where nothing is marshalled.</summary>
    public static int SizeOf(Type type) =>
        type.IsPointer || type.IsFunctionPointer
            ? nint.Size
            : (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    public static int OffsetOf(Type type, string field) => (int)Marshal.OffsetOf(type, field);
}
