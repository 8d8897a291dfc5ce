// C types to C# types. Integers of a fixed width, pointers, arrays in structs, and pointers to functions; a typedef
// is followed until one of them, or a struct, is reached. char is byte: text is UTF-8, and "..."u8 is made of bytes.
// const is dropped. What is not known ends the run: a guess would be a wrong layout.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;

namespace FastBackup.Interop.Generator;

/// <param name="typedefOf">What a typedef stands for, or null when the name is none.</param>
/// <param name="structName">The C# name of a C struct, or null when it is not declared.</param>
sealed partial class TypeMap(Func<string, string?> typedefOf, Func<string, string?> structName)
{
    static readonly Dictionary<string, string> Known = new()
    {
        ["void"] = "void",
        ["char"] = "byte",
        ["int"] = "int",
        ["unsigned int"] = "uint",
        ["int8_t"] = "sbyte",
        ["uint8_t"] = "byte",
        ["int16_t"] = "short",
        ["uint16_t"] = "ushort",
        ["int32_t"] = "int",
        ["uint32_t"] = "uint",
        ["int64_t"] = "long",
        ["uint64_t"] = "ulong",
        ["size_t"] = "nuint",
        ["__s8"] = "sbyte",
        ["__u8"] = "byte",
        ["__s16"] = "short",
        ["__u16"] = "ushort",
        ["__s32"] = "int",
        ["__u32"] = "uint",
        ["__s64"] = "long",
        ["__u64"] = "ulong",
        ["__kernel_size_t"] = "nuint",
        ["long long"] = "long",
        ["unsigned long long"] = "ulong",
    };

    /// <summary>The C# type of a parameter, a result or a member that is no array.</summary>
    public string Map(string type)
    {
        Match function = FunctionPointerPattern().Match(type);
        if (function.Success)
        {
            string[] arguments = [.. SplitArguments(function.Groups["arguments"].Value).Select(Map)];
            string result = Map(function.Groups["result"].Value);
            return $"delegate* unmanaged[Cdecl]<{string.Join(", ", [.. arguments, result])}>";
        }
        string bare = QualifierPattern().Replace(type, " ");
        string name = WhitePattern().Replace(bare.Replace('*', ' '), " ").Trim();
        return MapName(name, type) + new string('*', bare.Count(one => one == '*'));
    }

    /// <summary>Takes an array of a struct apart.</summary>
    /// <returns>The C# type of one element and how many there are; 0 when the member is no array.</returns>
    public (string Type, int Count) MapMember(string type)
    {
        Match array = ArrayPattern().Match(type);
        return array.Success
            ? (Map(array.Groups["element"].Value), int.Parse(array.Groups["count"].Value))
            : (Map(type), 0);
    }

    string MapName(string name, string type) =>
        Known.TryGetValue(name, out string? known) ? known
        : structName(name) is string found ? found
        : typedefOf(name) is string meant && meant != "struct " + name ? Map(meant)
        : throw new GeneratorException($"no C# type for '{name}' in '{type}'");

    static string[] SplitArguments(string arguments) =>
        arguments is "" or "void" ? [] : arguments.Split(',', StringSplitOptions.TrimEntries);

    // One level: a function that takes a function has commas inside brackets and is not understood.
    [GeneratedRegex(@"^(?<result>[^()]*)\(\*\)\((?<arguments>[^()]*)\)$")]
    private static partial Regex FunctionPointerPattern();

    [GeneratedRegex(@"^(?<element>[^\[\]]*)\[(?<count>[1-9]\d*)\]$")]
    private static partial Regex ArrayPattern();

    [GeneratedRegex(@"\b(const|volatile|struct|restrict)\b")]
    private static partial Regex QualifierPattern();

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhitePattern();
}
