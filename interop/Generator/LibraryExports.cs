// fastbackup.h for the library itself: the other side of the same contract.
//
//   Exports.cs   one export for each function, in the header's order: it catches everything, calls the method that
//                ExportTable names, and turns an exception into a status
//   Fb.cs        a constant for each FB_ macro with a value: FB_DEVICE_CREATE is Fb.DeviceCreate
//   NAME.cs      a struct each, in C#'s letters: fb_disk_options is DiskOptionsStruct. They are partial: how long one
//                was in its first release stands beside them, by hand, because no header says it
//
// A handle is its number here, and a status an int. The doc comments stay with the header and interop/Host.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace FastBackup.Interop.Generator;

sealed class LibraryExports
{
    const string HeaderFolder = "native-api/include";
    const string Header = "fastbackup.h";
    const string Prefix = "fb_";
    const string ExportFolder = "native-api/lib/Exports/Generated/";
    const string ExportSpace = "FastBackup.Native.Exports";
    const string StructFolder = "native-api/lib/Structs/Generated/";
    const string StructSpace = "FastBackup.Native.Structs";
    const string ConstantFolder = "native-api/lib/Header/Generated/";
    const string ConstantSpace = "FastBackup.Native.Header";
    const string MacroPrefix = "FB_";
    const string Indent = "    ";

    readonly SyntaxTree _tree;
    readonly TypeMap _types;
    readonly Dictionary<string, CValue> _values;

    LibraryExports(string headerFolder)
    {
        const string include = "#include <" + Header + ">\n";
        _tree = SyntaxTree.Read(include, headerFolder);
        _types = new TypeMap(_tree.TypedefOf, NameOf);
        CompilerProbe probe = new(include, headerFolder);
        _values = probe.Evaluate(probe.MacroNames(MacroPrefix));
    }

    /// <param name="root">The tree's root.</param>
    public static IEnumerable<GeneratedFile> Generate(string root) => GenerateFrom(Path.Combine(root, HeaderFolder));

    /// <param name="headerFolder">Where fastbackup.h is.</param>
    public static IEnumerable<GeneratedFile> GenerateFrom(string headerFolder)
    {
        LibraryExports exports = new(headerFolder);
        return
        [
            exports.Functions(),
            exports.Constants(),
            .. exports
                ._tree.Structs.Values.Where(item => item.Name.StartsWith(Prefix, StringComparison.Ordinal))
                .Where(item => !IsHandle(item))
                .Select(exports.Struct),
        ];
    }

    static bool IsHandle(CStruct item) => item.Fields is [{ Name: "id" }];

    string? NameOf(string name) =>
        !_tree.Structs.TryGetValue(name, out CStruct? item) ? null
        : IsHandle(item) ? "ulong"
        : StructName(name);

    static string StructName(string name) => CodeText.Pascal(name[Prefix.Length..]) + "Struct";

    bool IsHandleType(string type) => _tree.Structs.TryGetValue(type, out CStruct? item) && IsHandle(item);

    GeneratedFile Functions()
    {
        CodeText code = new(
            "The exports",
            Header,
            "System",
            "System.Runtime.CompilerServices",
            "System.Runtime.InteropServices",
            "FastBackup.Native.Calls",
            "FastBackup.Native.Errors",
            "FastBackup.Native.Structs"
        );
        code.Line($"namespace {ExportSpace};");
        code.Line("");
        code.Line("// SAFETY: pointers are the host's; each callee says what it takes them for.");
        code.Line("static unsafe class Exports");
        code.Line("{");
        foreach ((int index, CFunction function) in _tree.Functions.Where(IsExported).Index())
        {
            if (index > 0)
                code.Line("");
            WriteFunction(code, function);
        }
        code.Line("}");
        return new GeneratedFile(ExportFolder + "Exports.cs", code.ToString());
    }

    static bool IsExported(CFunction function) =>
        function.Name.StartsWith(Prefix, StringComparison.Ordinal) && function.Name != ExportTable.InC;

    void WriteFunction(CodeText code, CFunction function)
    {
        string type = _types.Map(function.ReturnType);
        string parameters = string.Join(
            ", ",
            function.Parameters.Select(item => $"{_types.Map(item.Type)} {LocalName(item)}")
        );
        string arguments = string.Join(", ", function.Parameters.Select(LocalName));
        string handle = function.Parameters.FirstOrDefault(item => IsHandleType(item.Type)) is { } found
            ? LocalName(found)
            : "0";
        string answer = type switch
        {
            "int" => $"Guard.Caught(exception, {handle})",
            "uint" => "Guard.CaughtNone(exception)",
            "byte*" => "(byte*)Guard.CaughtNone(exception)",
            _ => throw new GeneratorException($"no answer of type '{type}' after an exception in {function.Name}"),
        };
        code.Line(
            $"{Indent}[UnmanagedCallersOnly(EntryPoint = \"{function.Name}\", CallConvs = [typeof(CallConvCdecl)])]"
        );
        code.Line($"{Indent}public static {type} {CodeText.Pascal(function.Name[Prefix.Length..])}({parameters})");
        code.Line(Indent + "{");
        code.Line($"{Indent}{Indent}try");
        code.Line($"{Indent}{Indent}{{");
        code.Line($"{Indent}{Indent}{Indent}return {ExportTable.CalleeOf(function.Name)}({arguments});");
        code.Line($"{Indent}{Indent}}}");
        code.Line($"{Indent}{Indent}catch (Exception exception)");
        code.Line($"{Indent}{Indent}{{");
        code.Line($"{Indent}{Indent}{Indent}return {answer};");
        code.Line($"{Indent}{Indent}}}");
        code.Line(Indent + "}");
    }

    static string LocalName(CField field)
    {
        string pascal = CodeText.Pascal(field.Name);
        return CodeText.Escape(char.ToLowerInvariant(pascal[0]) + pascal[1..]);
    }

    GeneratedFile Constants()
    {
        CodeText code = new("The constants", Header);
        code.Line($"namespace {ConstantSpace};");
        code.Line("");
        code.Line("static class Fb");
        code.Line("{");
        foreach ((string macro, CValue value) in _values.OrderBy(item => item.Key, StringComparer.Ordinal))
        {
            string name = CodeText.Pascal(macro[MacroPrefix.Length..].ToLowerInvariant());
            code.Line($"{Indent}public const {value.Type} {name} = {value.Literal};");
        }
        code.Line("}");
        return new GeneratedFile(ConstantFolder + "Fb.cs", code.ToString());
    }

    GeneratedFile Struct(CStruct item)
    {
        (CField Field, (string Type, int Count) Member)[] members =
        [
            .. item.Fields.Select(field => (field, _types.MapMember(field.Type))),
        ];
        CodeText code = new($"struct {item.Name}", Header, "System.Runtime.InteropServices");
        code.Line($"namespace {StructSpace};");
        code.Line("");
        code.Summary("", [item.Name]);
        code.Line("[StructLayout(LayoutKind.Sequential)]");
        bool isUnsafe = members.Any(one => one.Member.Count > 0 || one.Member.Type.Contains('*'));
        code.Line($"public {(isUnsafe ? "unsafe " : "")}partial struct {StructName(item.Name)}");
        code.Line("{");
        foreach ((CField field, (string type, int count)) in members)
        {
            string name = CodeText.Pascal(field.Name);
            code.Line(count > 0 ? $"{Indent}public fixed {type} {name}[{count}];" : $"{Indent}public {type} {name};");
        }
        code.Line("}");
        return new GeneratedFile($"{StructFolder}{StructName(item.Name)}.cs", code.ToString());
    }
}
