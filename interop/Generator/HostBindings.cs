// fastbackup.h for hosts in .NET, in the style of ClangSharp: every name is the header's, so that the header is the
// manual.
//
//   LibFastBackup.cs            a LibraryImport for each function, in the header's order
//   LibFastBackup.Constants.cs  a constant for each FB_ macro with a value
//   fb_NAME.cs                  a struct each, handles included; members in order, arrays as fixed buffers
//
// Comments of the header become doc comments; one above several lines of functions is given to each. Macros with
// arguments (FB_INIT, FB_GUARDED) have no counterpart.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace FastBackup.Interop.Generator;

sealed class HostBindings
{
    const string HeaderFolder = "native-api/include";
    const string Header = "fastbackup.h";
    const string Include = "#include <" + Header + ">\n";
    const string Prefix = "fb_";
    const string MacroPrefix = "FB_";
    const string Folder = "interop/Host/Generated/";
    const string Indent = "    ";
    const int ColumnsMax = 120;

    readonly SyntaxTree _tree;
    readonly TypeMap _types;
    readonly HeaderComments _comments;
    readonly Dictionary<string, CValue> _values;

    HostBindings(string headerFolder)
    {
        _tree = SyntaxTree.Read(Include, headerFolder);
        _types = new TypeMap(_tree.TypedefOf, name => _tree.Structs.ContainsKey(name) ? name : null);
        _comments = new HeaderComments(File.ReadAllBytes(Path.Combine(headerFolder, Header)));
        CompilerProbe probe = new(Include, headerFolder);
        _values = probe.Evaluate(probe.MacroNames(MacroPrefix));
    }

    /// <param name="root">The tree's root.</param>
    public static IEnumerable<GeneratedFile> Generate(string root) => GenerateFrom(Path.Combine(root, HeaderFolder));

    /// <param name="headerFolder">Where fastbackup.h is.</param>
    public static IEnumerable<GeneratedFile> GenerateFrom(string headerFolder)
    {
        HostBindings bindings = new(headerFolder);
        return
        [
            bindings.Functions(),
            bindings.Constants(),
            .. bindings
                ._tree.Structs.Values.Where(item => item.Name.StartsWith(Prefix, StringComparison.Ordinal))
                .Select(bindings.Struct),
        ];
    }

    GeneratedFile Functions()
    {
        CodeText code = new("The functions", Header, "System.Runtime.InteropServices");
        OpenClass(
            code,
            "Functions of libfastbackup.so. fastbackup.h is the contract; threads, owners and errors are there."
        );
        // The file's own name and not "fastbackup": libfastbackup.so is there for compilers, stands for any version,
        // and is in the baseline's folder only: the loader would never take the level of a better processor.
        code.Line($"{Indent}const string Library = \"libfastbackup.so.{_values["FB_ABI_VERSION"].Literal}\";");
        CFunction[] functions =
        [
            .. _tree.Functions.Where(item => item.Name.StartsWith(Prefix, StringComparison.Ordinal)),
        ];
        string[] comment = [];
        foreach ((int index, CFunction function) in functions.Index())
        {
            string[] own = _comments.Above(function.Place);
            bool continues = index > 0 && _comments.AreAdjacent(functions[index - 1].Place, function.Place);
            if (own.Length > 0 || !continues)
                comment = own;
            code.Line("");
            code.Doc(Indent, comment);
            code.Line($"{Indent}[LibraryImport(Library)]");
            WriteSignature(code, function);
        }
        code.Line("}");
        return new GeneratedFile(Folder + "LibFastBackup.cs", code.ToString());
    }

    void WriteSignature(CodeText code, CFunction function)
    {
        string[] parameters =
        [
            .. function.Parameters.Select(item => $"{_types.Map(item.Type)} {CodeText.Escape(item.Name)}"),
        ];
        string start = $"{Indent}public static partial {_types.Map(function.ReturnType)} {function.Name}(";
        string oneLine = start + string.Join(", ", parameters) + ");";
        if (oneLine.Length <= ColumnsMax)
        {
            code.Line(oneLine);
            return;
        }
        code.Line(start);
        foreach ((int index, string parameter) in parameters.Index())
            code.Line(Indent + Indent + parameter + (index < parameters.Length - 1 ? "," : ""));
        code.Line(Indent + ");");
    }

    GeneratedFile Constants()
    {
        CodeText code = new("The constants", Header);
        OpenClass(code, null);
        bool isFirst = true;
        foreach (string name in _values.Keys.OrderBy(name => _comments.PlaceOfMacro(name).Start))
        {
            string[] comment = _comments.OfMacro(name);
            if (comment.Length > 0 && !isFirst)
                code.Line("");
            code.Summary(Indent, comment);
            code.Line($"{Indent}public const {_values[name].Type} {name} = {_values[name].Literal};");
            isFirst = false;
        }
        code.Line("}");
        return new GeneratedFile(Folder + "LibFastBackup.Constants.cs", code.ToString());
    }

    GeneratedFile Struct(CStruct item)
    {
        (CField Field, (string Type, int Count) Member)[] members =
        [
            .. item.Fields.Select(field => (field, _types.MapMember(field.Type))),
        ];
        CodeText code = new($"struct {item.Name}", Header, "System.Runtime.InteropServices");
        code.Line("namespace FastBackup.Interop.Host;");
        code.Line("");
        code.Summary("", _comments.Above(item.Place));
        code.Line("[StructLayout(LayoutKind.Sequential)]");
        bool isUnsafe = members.Any(one => one.Member.Count > 0 || one.Member.Type.Contains('*'));
        code.Line($"public {(isUnsafe ? "unsafe " : "")}struct {item.Name}");
        code.Line("{");
        foreach ((int index, (CField field, (string type, int count))) in members.Index())
        {
            // What is above a struct on one line is the struct's.
            string[] comment = _comments.AreOnOneLine(item.Place, field.Place) ? [] : _comments.Of(field.Place);
            if (comment.Length > 0 && index > 0)
                code.Line("");
            if (type.StartsWith("delegate", StringComparison.Ordinal))
                code.Doc(Indent, comment);
            else
                code.Summary(Indent, comment);
            string name = CodeText.Escape(field.Name);
            code.Line(count > 0 ? $"{Indent}public fixed {type} {name}[{count}];" : $"{Indent}public {type} {name};");
        }
        code.Line("}");
        return new GeneratedFile($"{Folder}{item.Name}.cs", code.ToString());
    }

    static void OpenClass(CodeText code, string? summary)
    {
        code.Line("namespace FastBackup.Interop.Host;");
        code.Line("");
        if (summary is not null)
            code.Summary("", [summary]);
        code.Line("public static unsafe partial class LibFastBackup");
        code.Line("{");
    }
}
